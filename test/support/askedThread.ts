// A thread that answers questions as they ask it to.
import { answerQuestions } from '../../server/threads/answering.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { yieldTurn } from '../../server/foundation/turns.ts'

export type Asked =
  | { readonly do: 'say'; readonly what: unknown }
  | { readonly do: 'refuse' | 'break' | 'end' | 'wait-until-gone' | 'hold' | 'held' }

let held = 0
let letGo: (() => void) | null = null
answerQuestions<Asked, unknown>(
  async (question, gone) => {
    switch (question.do) {
      case 'say':
        return question.what
      case 'refuse':
        throw new ParleyError('not-found', 'There is none.', { extras: { of: 'the thread' } })
      case 'break':
        throw new TypeError('a bug')
      case 'end':
        process.exit(7)
        break
      case 'wait-until-gone':
        invariant(gone !== null, 'a question can be given up')
        while (!gone.aborted) await yieldTurn()
        return 'gone'
      case 'hold':
        held += 1
        await new Promise<void>((resolve) => (letGo = resolve))
        held -= 1
        return 'held'
      case 'held':
        return held
    }
  },
  {
    pause: async () => {
      letGo?.()
      return () => undefined
    },
  },
)
