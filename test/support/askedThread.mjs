// A thread that answers questions as they ask it to, with the built server, because a plain worker cannot load its source.
import { answerQuestions } from '../../dist/modules/server/threads/answering.js'
import { ParleyError } from '../../dist/modules/server/foundation/problems.js'
import { yieldTurn } from '../../dist/modules/server/foundation/turns.js'

let held = 0
let letGo = null
answerQuestions(
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
        while (!gone.aborted) await yieldTurn()
        return 'gone'
      case 'hold':
        held += 1
        await new Promise((resolve) => (letGo = resolve))
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
