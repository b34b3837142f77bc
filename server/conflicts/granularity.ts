/**
 * How the parts of a json content are compared around a live merge (SPEC CONF-6), which only Yjs knows: what of it is kept
 * with a conflict, to find its overlaps again from the contents. Pure.
 */
import type { Content } from '../content/content.ts'
import type { Granularities } from '../content/granularity.ts'
import { mergeJson } from '../content/mergeJson.ts'
import { toPointer } from '../content/pointer.ts'
import type { OfflineSides } from '../model/offlineSides.ts'

/** Pointers of either form kept, together; what is past it is compared like plain values. */
const MAX_POINTER_CHARACTERS = 64 * 1024

/**
 * Where both sides changed a shared text, which is compared by lines, and where they hold different things: the
 * other side replaced what one edited, or plain values, of which a live edit replaces the whole.
 */
export function granularitiesOf(
  { base, incoming, sharedAt }: OfflineSides,
  current: Content,
  currentAt: OfflineSides['sharedAt'],
): Granularities {
  const [texts, wholes] = [new Array<string>(), new Array<string>()]
  if (typeof base === 'string' || typeof current === 'string' || typeof incoming === 'string') return { texts, wholes }
  const keepCurrent = (): 'current' => 'current'
  mergeJson(base, current, incoming, keepCurrent, (path, incomingPath) => {
    const [here, there] = [currentAt(path), sharedAt(incomingPath)]
    if (here === null || here.id !== there?.id) {
      wholes.push(toPointer(path))
      return 'whole'
    }
    if (here.isText) texts.push(toPointer(path))
    return here.isText ? 'lines' : 'parts'
  })
  return { texts: withinCharacters(texts), wholes: withinCharacters(wholes) }
}

function withinCharacters(pointers: readonly string[]): readonly string[] {
  let room = MAX_POINTER_CHARACTERS
  return pointers.filter((pointer) => (room -= pointer.length) >= 0)
}
