import { HistoryQuestions } from '../api/historyQuestions.ts'
import type { LongQuestion } from '../api/questions.ts'
import type { OperationBody } from '../api/transactionBody.ts'
import type { Config } from '../config.ts'
import { ConflictResolver } from '../conflicts/resolve.ts'
import { ConflictShower } from '../conflicts/shower.ts'
import { OfflineMergeJudge } from '../conflicts/offlineMergeJudge.ts'
import { Acts } from '../documents/acts/acts.ts'
import { Committer } from '../documents/commit.ts'
import { DocumentLifecycle } from '../documents/lifecycle.ts'
import { DocumentPurger } from '../documents/purge.ts'
import { DocumentReader } from '../documents/read.ts'
import type { ActorNames } from '../documents/actorNames.ts'
import { Replicas } from '../documents/replicas.ts'
import type { SchemaJudge } from '../documents/schemaJudge.ts'
import type { TextComparer } from '../documents/textComparer.ts'
import { DocumentWriter } from '../documents/write.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { VersionLabels } from '../history/labels.ts'
import { HistoryReader } from '../history/reader.ts'
import { Restorer } from '../history/restore.ts'
import { DocumentLocks } from '../locks/locks.ts'
import { LockLines } from '../locks/waiting.ts'
import { RepeatableLockTokens } from '../model/lockToken.ts'
import type { Storage } from '../storage/storage.ts'
import type { Desk } from '../threads/desk.ts'
import { StagedTransactions } from '../transactions/staged.ts'
import { Transactor } from '../transactions/transactor.ts'

export type Core = ReturnType<typeof createCore>

export interface CoreParts {
  readonly config: Config
  readonly environment: Environment
  readonly storage: Storage
  readonly names: ActorNames
  readonly desk: Desk<LongQuestion, Uint8Array>
  readonly schemas: SchemaJudge
  readonly comparer: TextComparer
  /** Of the server. */
  readonly secret: Uint8Array
}

/** What acts on documents, whoever asks. Nothing here runs by itself. */
export function createCore({ config, environment, storage, names, desk, schemas, comparer, secret }: CoreParts) {
  const limits = {
    maxBytes: config.maxContentBytes,
    maxDepth: config.maxContentDepth,
    maxNodes: config.maxContentNodes,
  }
  const committer = new Committer(storage, names)
  const replicas = new Replicas({
    storage,
    committer,
    environment,
    limits,
    idleMs: config.replicaIdleMs,
    budgetBytes: config.replicaBudgetBytes,
  })
  const reader = new DocumentReader(storage, replicas, comparer)
  const lineLength = (document: DocumentId): number => lines.length(document)
  const parts = { storage, replicas, committer, environment, limits, lineLength, schemas, comparer }
  const acts = new Acts(parts)
  const locks = new DocumentLocks({
    storage,
    acts,
    replicas,
    reader,
    environment,
    repeatable: new RepeatableLockTokens(secret),
  })
  const lines: LockLines = new LockLines(locks, environment)
  const writer = new DocumentWriter(parts, acts)
  const lifecycle = new DocumentLifecycle(storage, acts, schemas)
  const history = new HistoryReader(storage)
  const shower = new ConflictShower({ storage, desk })
  return {
    desk,
    schemas,
    limits,
    committer,
    replicas,
    acts,
    reader,
    locks,
    lines,
    writer,
    lifecycle,
    purger: new DocumentPurger({ storage, acts }, lifecycle),
    shower,
    resolver: new ConflictResolver({ ...parts, shower }, acts),
    history,
    labels: new VersionLabels(storage),
    questions: new HistoryQuestions(storage, desk),
    restorer: new Restorer({ storage, writer, history, comparer }),
    judge: new OfflineMergeJudge(storage, committer, environment),
    transactor: new Transactor(parts, acts),
    transactions: new StagedTransactions<OperationBody>({ environment, idleMs: config.transactionIdleMs }),
  }
}
