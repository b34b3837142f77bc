import type { StorageView } from '../../server/storage/view.ts'

/** The same storage, or view; `onCall` hears of each question of one step, also within one of several. */
export function watchedView<V extends StorageView>(
  inner: V,
  onCall: (name: PropertyKey, document: unknown) => void,
): V {
  const ask = inner.read.bind(inner)
  const read: StorageView['read'] = (question) => ask((view) => question(watchedView(view, onCall)))
  return new Proxy(inner, {
    get(target, name): unknown {
      if (name === 'read') return read
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...parameters: unknown[]): unknown => {
        onCall(name, parameters[0])
        return Reflect.apply(member, target, parameters)
      }
    },
  })
}
