import { createContext } from 'preact'
import { useContext, useMemo } from 'preact/hooks'
import type { Names } from '../present/names.ts'
import { explain } from '../present/problem.ts'
import { permissionsOn, type Permission } from '../parley/token.ts'
import type { Rest } from '../parley/rest.ts'
import type { HeadStart } from '../state/headStart.ts'
import type { IdentityKeeper, KeyedTexts } from '../state/identity.ts'
import type { NameBook } from '../state/names.ts'
import type { Notices } from '../state/notices.ts'
import type { ResolutionDrafts } from '../state/resolutionDrafts.ts'
import type { Shelf } from '../state/shelf.ts'
import { useLatest, useStore } from './hooks.ts'

/** What every screen may use. */
export interface Parts {
  /** `http://localhost:4090` */
  readonly origin: string
  /** `ws://localhost:4090` */
  readonly socketBase: string
  readonly keeper: IdentityKeeper
  readonly rest: Rest
  readonly headStart: HeadStart
  readonly notices: Notices
  readonly nameBook: NameBook
  readonly shelf: Shelf
  readonly drafts: ResolutionDrafts
  /** Of this tab: a reload finds it again. */
  readonly storage: KeyedTexts
}

export const PartsContext = createContext<Parts | null>(null)

export function useParts(): Parts {
  const parts = useContext(PartsContext)
  if (parts === null) throw new Error('A screen stands outside of the app.')
  return parts
}

export function useNames(): Names {
  return useStore(useParts().nameBook.store)
}

/** What whoever acts in this tab may do with a document; while they sign in anew, what they might before. */
export function useRights(documentId: string): ReadonlySet<Permission> {
  const presence = useStore(useParts().keeper.presence)
  const token = useLatest(presence.phase === 'in' ? presence.self.token : null) ?? ''
  return useMemo(() => permissionsOn(token, documentId), [token, documentId])
}

/** Runs what a button starts; a failure becomes a notice. */
export function useRun(): (task: () => Promise<void>) => void {
  const { notices } = useParts()
  return (task) => {
    void task().catch((error: unknown) => notices.tell({ tone: 'problem', text: explain(error) }))
  }
}
