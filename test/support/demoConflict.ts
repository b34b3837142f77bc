import { differInBlanksOnly } from '../../server/content/overlap.ts'
import { merge } from '../../server/content/merge.ts'
import type { Content } from '../../server/content/content.ts'

/** The JSON of a conflict as the API answers it, made from three contents; members can be replaced. */
export function conflictJson(
  sides: { readonly base: Content; readonly current: Content; readonly incoming: Content },
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const merged = merge(sides.base, sides.current, sides.incoming)
  const side = (name: keyof typeof sides, version: number | null, authors: readonly string[]): object => ({
    version,
    etag: version === null ? null : `abc-${version}`,
    authors,
    content: sides[name],
    href: `/conflicts/cfl_1/${name}`,
  })
  const isText = typeof sides.base === 'string'
  return {
    id: 'cfl_1',
    kind: 'stale-write',
    status: 'open',
    document: { id: 'notes', href: '/documents/notes', kind: isText ? 'text' : 'json' },
    detectedAt: '2026-11-01T10:00:00.000Z',
    closedAt: null,
    closedBy: null,
    closedComment: null,
    base: side('base', 1, ['ada']),
    current: side('current', 3, ['bob', 'carol']),
    incoming: side('incoming', null, ['robot']),
    merged: { clean: merged.clean, content: merged.content },
    whitespaceOnly: differInBlanksOnly(merged.overlaps),
    overlaps: merged.overlaps.map((overlap) => (isText ? { ...overlap, authors: ['bob'] } : overlap)),
    intervening: [{ version: 2, author: 'bob', at: '2026-11-01T09:59:00.000Z' }],
    proposals: [],
    resolution: null,
    truncated: false,
    ...changes,
  }
}
