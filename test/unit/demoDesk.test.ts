import { describe, expect, it } from 'vitest'
import { ProblemError, UnreachableError } from '../../client-demo/src/parley/rest.ts'
import * as shapes from '../../client-demo/src/parley/shapes.ts'
import type { Conflict, Problem, ResolutionAnswer, ResolutionRequest } from '../../client-demo/src/parley/types.ts'
import { ConflictDesk } from '../../client-demo/src/state/conflictDesk.ts'
import { conflictJson } from '../support/demoConflict.ts'

const SIDES = { base: 'a\nb\nc\nd\ne', current: 'a\nB\nc\nd\nE', incoming: 'a\nbb\nc\nd\nee' }
const conflictOf = (...args: Parameters<typeof conflictJson>): Conflict => shapes.conflict(conflictJson(...args), '')
const open = conflictOf(SIDES)
const [first = '', second = ''] = open.overlaps.map(({ id }) => id)

const RESOLUTION = { use: 'current', by: 'bob', at: '2026-11-01T11:00:00Z', version: 5, comment: null } as const
const closed: Conflict = {
  ...open,
  status: 'resolved',
  closedBy: 'bob',
  closedAt: RESOLUTION.at,
  resolution: RESOLUTION,
}
const moved = conflictOf(
  { ...SIDES, current: 'a\nB\nc\nd\nE!' },
  { current: { version: 7, etag: 'abc-7', authors: ['bob'], content: 'a\nB\nc\nd\nE!', href: '/c' } },
)

const refusal = (code: string, status: number, extras: Partial<Problem> = {}): ProblemError =>
  new ProblemError({ code, status, title: code, detail: 'In words.', retryable: false, ...extras })

/** A desk over a server that holds `conflict` and gives one answer to every resolution. */
async function desk(conflict: Conflict, answer: ResolutionAnswer | Error = { outcome: 'closed', conflict: closed }) {
  const server = { conflict, answer, documentVersion: 40, documentContent: 'a\nB\nc\nd\nE', reads: 0 }
  const requests: ResolutionRequest[] = []
  const one = new ConflictDesk('cfl_1', {
    getConflict: async () => {
      server.reads += 1
      return server.conflict
    },
    getDocument: async () => ({
      id: 'notes',
      kind: 'text',
      version: server.documentVersion,
      etag: '',
      root: 'content',
      content: server.documentContent,
      createdAt: '',
      updatedAt: '',
      updatedBy: '',
    }),
    resolveConflict: async (request) => {
      requests.push(request)
      if (server.answer instanceof Error) throw server.answer
      return server.answer
    },
  })
  await one.load()
  return { one, server, requests, shown: () => one.desk.value }
}

describe('the conflict desk', () => {
  it('sends the choices on the version that was looked at', async () => {
    const { one, requests, server } = await desk(open)
    one.pick(first, { from: 'incoming' })
    one.pick(second, { from: 'own', text: 'x' })
    server.conflict = closed
    await one.act({ use: 'choices' }, '  why  ')
    expect(requests).toEqual([
      {
        conflictId: 'cfl_1',
        baseVersion: 3,
        use: 'choices',
        choices: { [first]: 'incoming', [second]: { text: 'x' } },
        comment: 'why',
      },
    ])
    expect(one.desk.value).toMatchObject({ conflict: { status: 'resolved' }, remark: null, busy: false })
  })

  it('looks at the document itself where a live merge already stands in it', async () => {
    const { one, requests } = await desk({ ...open, kind: 'concurrent-edit' })
    await one.act({ use: 'current' }, '')
    expect(requests).toEqual([{ conflictId: 'cfl_1', baseVersion: 40, use: 'current' }])
  })

  it('names no version to dismiss or to decide a proposal', async () => {
    const { one, requests } = await desk(open)
    await one.act({ dismiss: true }, '')
    await one.act({ accept: 'prp_1' }, 'ignored')
    await one.act({ reject: 'prp_1' }, 'no')
    expect(requests).toEqual([
      { conflictId: 'cfl_1', dismiss: true },
      { conflictId: 'cfl_1', accept: 'prp_1' },
      { conflictId: 'cfl_1', reject: 'prp_1', comment: 'no' },
    ])
  })

  it('shows the refreshed conflict when the document moved, keeps the picks that fit, and builds on the new version', async () => {
    const { one, shown, server, requests } = await desk(open, refusal('version-conflict', 409, { conflict: moved }))
    one.pick(first, { from: 'current' })
    one.pick(second, { from: 'incoming' })
    await one.act({ use: 'choices' }, '')
    expect(shown()).toMatchObject({ seen: { version: 7 }, remark: { tone: 'attention' }, busy: false })
    expect(shown().picks).toEqual({ [first]: { from: 'current' } })
    server.answer = { outcome: 'closed', conflict: closed }
    await one.act({ use: 'incoming' }, '')
    expect(requests.at(-1)).toMatchObject({ baseVersion: 7 })
  })

  it('shows how it ended when someone was faster', async () => {
    const { one, shown } = await desk(open, refusal('conflict-closed', 409, { conflict: closed }))
    await one.act({ use: 'incoming' }, '')
    expect(shown()).toMatchObject({ conflict: { status: 'resolved' }, remark: { tone: 'attention' } })
  })

  it('reads the conflict anew when the refusal does not hold it', async () => {
    const { one, shown, server } = await desk(open, refusal('conflict-closed', 409))
    server.conflict = closed
    await one.act({ use: 'incoming' }, '')
    expect(shown().conflict?.status).toBe('resolved')
  })

  it('says that a proposal is kept, and leaves the conflict open', async () => {
    const proposal = {
      id: 'prp_1',
      use: 'incoming',
      baseVersion: 3,
      by: 'me',
      at: '',
      comment: null,
      status: 'pending',
    } as const
    const { one, shown } = await desk(open, { outcome: 'proposed', conflict: open, proposal })
    await one.act({ use: 'incoming' }, '')
    expect(shown()).toMatchObject({ conflict: { status: 'open' }, remark: { tone: 'success' } })
    expect(shown().remark?.text).toContain('proposal')
  })

  it('names every fault of a 422 and keeps everything that was picked and written', async () => {
    const errors = [{ overlap: second, message: 'No choice is made for this overlap.' }]
    const { one, shown } = await desk(open, refusal('invalid-resolution', 422, { errors }))
    one.pick(first, { from: 'base' })
    one.editResult('by hand')
    await one.act({ use: 'content', content: 'by hand' }, '')
    expect(shown()).toMatchObject({
      picks: { [first]: { from: 'base' } },
      ownResult: 'by hand',
      remark: { tone: 'problem', details: ['No choice is made for this overlap.'] },
    })
  })

  it('keeps the result edited by hand when the conflict is read again', async () => {
    const { one, shown } = await desk(open)
    one.editResult('by hand')
    await one.load()
    expect(shown().ownResult).toBe('by hand')
  })

  it('sends a result made by hand on the version it was made from, whatever came since', async () => {
    const { one, server, requests } = await desk({ ...open, kind: 'concurrent-edit' })
    one.editResult('a\nB\nc\nd\nby hand')
    server.documentVersion = 42
    server.documentContent = 'since\nB\nc\nd\nE'
    await one.load()
    await one.act({ use: 'content', content: 'a\nB\nc\nd\nby hand' }, '')
    expect(requests).toMatchObject([{ baseVersion: 40 }])
    one.editResult(null)
    await one.load()
    await one.act({ use: 'current' }, '')
    expect(requests.at(-1)).toMatchObject({ baseVersion: 42 })
  })

  it('takes into a result made by hand what others wrote elsewhere, once it was refused for what they wrote there', async () => {
    const conflict = { ...open, kind: 'concurrent-edit' } as const
    const { one, server, shown, requests } = await desk(conflict, refusal('version-conflict', 409, { conflict }))
    one.editResult('a\nB\nc\nd\nby hand')
    server.documentVersion = 42
    server.documentContent = 'since\nB\nc\nd\nthere'
    await one.act({ use: 'content', content: 'a\nB\nc\nd\nby hand' }, '')
    expect(shown()).toMatchObject({ ownResult: 'since\nB\nc\nd\nby hand', seen: { version: 42 } })
    await one.act({ use: 'content', content: 'since\nB\nc\nd\nby hand' }, '')
    expect(requests.at(-1)).toMatchObject({ baseVersion: 42 })
  })

  it('survives a network that fails, and can be used again', async () => {
    const { one, shown, server } = await desk(open, new UnreachableError('x'))
    await one.act({ use: 'incoming' }, '')
    expect(shown()).toMatchObject({ busy: false, remark: { tone: 'problem' }, conflict: { status: 'open' } })
    server.answer = { outcome: 'closed', conflict: closed }
    server.conflict = closed
    await one.act({ use: 'incoming' }, '')
    expect(shown().conflict?.status).toBe('resolved')
  })

  it('sends once however often the button is pressed', async () => {
    const { one, requests } = await desk(open)
    await Promise.all([one.act({ use: 'incoming' }, ''), one.act({ use: 'incoming' }, '')])
    expect(requests).toHaveLength(1)
  })
})
