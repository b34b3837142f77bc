import type { StorageView } from '../../server/storage/view.ts'

/** The same storage, of whose logs each page is one row, as where every row is large (`LogReads`). */
export function oneRowPages<V extends StorageView>(inner: V): V {
  const own: Pick<StorageView, 'entries' | 'effects' | 'read'> = {
    entries: (document, after, upTo) => inner.entries(document, after, upTo, 1),
    effects: (document, after, upTo) => inner.effects(document, after, upTo, 1),
    read: (question) => inner.read((view) => question(oneRowPages(view))),
  }
  return new Proxy(inner, {
    get(target, name): unknown {
      if (name in own) return Reflect.get(own, name)
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
