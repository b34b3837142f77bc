import type { DocumentId, PrincipalId } from '../foundation/ids.ts'

/** Who acts, and what their token calls them. */
export interface Person {
  readonly sub: PrincipalId
  readonly name: string
}

/** Somebody who acts on a document. */
export interface Actor extends Person {
  readonly document: DocumentId
}

export interface PeopleQuery {
  /** This one alone; null: everybody. */
  readonly sub: PrincipalId | null
  /** Those after this one, in order; null: from the first. */
  readonly after: PrincipalId | null
  readonly limit: number
}

/** What is asked about people. */
export interface PeopleReads {
  /** Those who acted on the document under a name, in the order of their `sub`. */
  people(document: DocumentId, query: PeopleQuery): Promise<readonly Person[]>
  /** What those are called who changed these documents last. */
  updaterNames(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, string>>
}
