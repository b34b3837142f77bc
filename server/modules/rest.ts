import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Principal } from '../access/access.ts'
import { conflictRoutes } from '../api/conflicts.ts'
import { contentRoutes } from '../api/content.ts'
import { demoPages } from '../api/demo.ts'
import { documentRoutes } from '../api/documents.ts'
import { historyRoutes } from '../api/history.ts'
import { lockRoutes } from '../api/locks.ts'
import { transactionRoutes } from '../api/transactions.ts'
import type { Environment } from '../foundation/environment.ts'
import type { Idempotency } from '../http/idempotency.ts'
import type { Storage } from '../storage/storage.ts'
import type { Access } from './access.ts'
import type { Core } from './core.ts'
import type { Http } from './http.ts'
import type { Module } from './module.ts'

export interface RestParts {
  readonly storage: Storage
  readonly environment: Environment
  readonly core: Core
  readonly access: Pick<Access, 'revocations'>
  readonly http: Http
  readonly idempotency: Idempotency
}

/** Documents and all that is done with them, over HTTP. */
export function restModule({ storage, environment, core, access, http, idempotency }: RestParts): Module {
  const { revocations } = access
  const isRevoked = (principal: Principal): boolean => revocations.isRevoked(principal)
  revocations.onRevoked(() => core.transactions.revalidate())
  const parts = { storage, environment, idempotency, isRevoked, publicUrl: http.publicUrl, ...core }
  return {
    name: 'documents',
    routes: [
      documentRoutes(parts),
      contentRoutes(parts),
      conflictRoutes(parts),
      historyRoutes(parts),
      lockRoutes(parts),
      transactionRoutes(parts),
    ],
    stop: { deadlineMs: 100, run: async () => core.transactions.close() },
  }
}

/** The demo editor, where it was built. */
export function demoModule({ app }: Http): Module {
  if (hasDemo()) void app.register(demoPages(DEMO_FOLDER))
  return { name: 'demo' }
}

/** Beside the built server; its source has none. */
const DEMO_FOLDER = fileURLToPath(new URL('../demo', import.meta.url))
export const hasDemo = (): boolean => existsSync(DEMO_FOLDER)
