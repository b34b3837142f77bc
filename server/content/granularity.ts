import type { GranularityAt } from './mergeJson.ts'
import { toPointer } from './pointer.ts'

/** How the parts of a json content are compared around a live merge (SPEC CONF-6), by pointers. */
export interface Granularities {
  /** Shared texts, which are compared by lines. */
  readonly texts: readonly string[]
  /** Places at which the sides hold different things. */
  readonly wholes: readonly string[]
}

export function granularityOf({ texts, wholes }: Granularities): GranularityAt {
  const [lines, whole] = [new Set(texts), new Set(wholes)]
  return (current) => {
    const pointer = toPointer(current)
    return whole.has(pointer) ? 'whole' : lines.has(pointer) ? 'lines' : 'parts'
  }
}
