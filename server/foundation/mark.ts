import { crc32 } from 'node:zlib'

/** Characters of a mark. 36^7 is beyond 32 bits. */
export const MARK_LENGTH = 7
/** Stands where there is nothing to be marked. */
export const NO_MARK = '0'.repeat(MARK_LENGTH)

/** A short mark that tells one fact from another which took its number in another course of events; no secret. */
export const markOf = (fact: string): string => crc32(fact).toString(36).padStart(MARK_LENGTH, '0')
