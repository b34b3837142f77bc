import { describe, expect, it, vi } from 'vitest'
import type { Document } from '../../client-demo/src/parley/types.ts'
import { coalesce } from '../../client-demo/src/state/coalesce.ts'
import * as drafts from '../../client-demo/src/state/jsonDraft.ts'
import { SaveCheck } from '../../client-demo/src/state/saveCheck.ts'

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

describe('a json draft', () => {
  const document = (version: number, content: Document['content']): Document => ({
    id: 'd',
    kind: 'json',
    version,
    etag: `abc-${version}`,
    root: 'content',
    content,
    createdAt: '',
    updatedAt: '',
    updatedBy: 'ada',
  })
  const start = drafts.startDraft(document(1, { a: 1 }))

  it('follows the server while nothing is edited', () => {
    const draft = drafts.moved(start, document(2, { a: 2 }))
    expect(draft).toMatchObject({ status: 'clean', from: { version: 2, etag: 'abc-2' }, text: '{\n  "a": 2\n}' })
  })

  it('keeps what is edited, and its base, when the server moves', () => {
    const draft = drafts.moved(drafts.edit(start, '{"a":9}'), document(2, { a: 2 }))
    expect(draft).toMatchObject({ text: '{"a":9}', from: { version: 1, etag: 'abc-1' }, latest: { version: 2 } })
  })

  it('keeps the layout of what it saved', () => {
    const sent = { version: 2, etag: 'abc-2', text: '{"a":9}' }
    const saved = drafts.saved(drafts.saving(drafts.edit(start, '{"a":9}')), sent)
    const draft = drafts.moved(saved, document(2, { a: 9 }))
    expect(draft).toMatchObject({ text: '{"a":9}', status: 'clean', from: { version: 2 } })
  })

  it('is edited again by what was typed while it was saved', () => {
    const typed = { ...drafts.saving(drafts.edit(start, '{"a":9}')), text: '{"a":99}' }
    expect(drafts.saved(typed, { version: 2, etag: 'abc-2', text: '{"a":9}' })).toMatchObject({
      status: 'edited',
      text: '{"a":99}',
      from: { version: 2 },
    })
  })

  it('keeps the refused text until it is given up', () => {
    const refused = drafts.refused(drafts.moved(drafts.edit(start, '{"a":9}'), document(2, { a: 2 })), 'cfl_1')
    expect(refused).toMatchObject({ status: 'refused', text: '{"a":9}', from: { version: 1 }, conflictId: 'cfl_1' })
    expect(drafts.discard(refused)).toMatchObject({ status: 'clean', text: '{\n  "a": 2\n}', conflictId: null })
  })

  it('[DEMO-1] holds nothing unsaved once the document says the same, whoever stored it', () => {
    const draft = drafts.moved(drafts.edit(start, '{"a":9}'), document(2, { a: 9 }))
    expect(draft).toMatchObject({ text: '{"a":9}', status: 'clean', from: { version: 2 } })
  })

  it('never goes back to an older version', () => {
    const draft = drafts.moved(start, document(3, { a: 3 }))
    expect(drafts.moved(draft, document(2, { a: 2 }))).toBe(draft)
  })

  it.each([
    ['{"a":1}', true],
    ['{"a":1,}', false],
    ['[1]', false],
    ['null', false],
    ['"x"', false],
    ['', false],
  ])('can be saved or not: %s', (text, isGood) => {
    expect(drafts.syntaxProblem(text) === null).toBe(isGood)
  })
})

describe('the save check', () => {
  function check(answers: (boolean | Error)[]) {
    const shown: boolean[] = []
    const delays: number[] = []
    let run = (): void => {}
    const saveCheck = new SaveCheck({
      isStored: async () => {
        const answer = answers.shift() ?? false
        if (answer instanceof Error) throw answer
        return answer
      },
      onChange: (saved) => shown.push(saved),
      after: (delayMs, task) => {
        delays.push(delayMs)
        run = task
        return () => {
          run = () => {}
        }
      },
    })
    const look = async (): Promise<void> => {
      const task = run
      run = () => {}
      task()
      await settle()
    }
    return { saveCheck, shown, delays, look }
  }

  it('says saved only once the server holds the text', async () => {
    const { saveCheck, shown, look } = check([false, new Error('offline'), true])
    saveCheck.edited()
    await look()
    await look()
    expect(shown).toEqual([false])
    await look()
    expect(shown).toEqual([false, true])
  })

  it('looks less and less often', async () => {
    const { saveCheck, delays, look } = check([])
    saveCheck.edited()
    for (let times = 0; times < 7; times++) await look()
    expect(delays).toEqual([400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000])
  })

  it('does not take the answer about older text for one about newer', async () => {
    const { saveCheck, shown, look } = check([true])
    saveCheck.edited()
    const looking = look()
    saveCheck.edited()
    await looking
    expect(shown).toEqual([false])
  })

  it('asks for nothing after it was closed', async () => {
    const { saveCheck, delays, look } = check([false])
    saveCheck.edited()
    const looking = look()
    saveCheck.close()
    await looking
    expect(delays).toHaveLength(1)
  })
})

describe('coalescing', () => {
  it('runs once for many wishes, never twice at once, and again for a wish that came meanwhile', async () => {
    vi.useFakeTimers()
    try {
      let runs = 0
      let finish = (): void => {}
      const { wish, close } = coalesce(100, () => {
        runs += 1
        return new Promise((resolve) => {
          finish = resolve
        })
      })
      wish()
      wish()
      await vi.advanceTimersByTimeAsync(100)
      expect(runs).toBe(1)
      wish()
      wish()
      await vi.advanceTimersByTimeAsync(1_000)
      expect(runs).toBe(1)
      finish()
      await vi.advanceTimersByTimeAsync(100)
      expect(runs).toBe(2)
      wish()
      close()
      finish()
      await vi.advanceTimersByTimeAsync(1_000)
      expect(runs).toBe(2)
    } finally {
      vi.useRealTimers()
    }
  })
})
