import { assertNever } from '../assertNever.ts'
import type { Because, Return, Waiting } from '../state/absence.ts'

/** What waits, and for what. */
export function waitingWords(waiting: Waiting | null, isSaved: boolean): string {
  const edits = waiting === null ? '' : amount(waiting)
  const what = isSaved ? 'What you write' : `What you wrote${edits === '' ? '' : ` (${edits})`}`
  const reason = waiting?.because === 'person' ? 'You are offline.' : 'There is no connection.'
  const until = waiting?.because === 'person' ? 'until you go online again' : 'until it is back'
  return `${reason} ${what} waits in this window ${until}.`
}

function amount({ typed, removed }: Waiting): string {
  const parts = [
    ...(typed > 0 ? [`${typed} character${typed === 1 ? '' : 's'} typed`] : []),
    ...(removed > 0 ? [`${removed} removed`] : []),
  ]
  return parts.join(', ')
}

/** What became of it. */
export function returnWords({ because, conflictId, isSure, ...waiting }: Return): string {
  const edits = amount({ because, ...waiting })
  const went = `${reasonOf(because)} What you wrote${edits === '' ? '' : ` (${edits})`} is in the document now.`
  if (!isSure) {
    return `${went} Whether somebody had changed the same place could not be found out: look at the open conflicts.`
  }
  return conflictId === null
    ? `${went} Nobody had changed the same place.`
    : `${went} Someone had changed the same place meanwhile, so both were merged: check what stands there.`
}

function reasonOf(because: Because): string {
  switch (because) {
    case 'person':
      return 'You are online again.'
    case 'network':
    case 'line':
      return 'The connection is back.'
    case 'lock':
      return 'The lock has ended.'
    case 'reload':
      return 'The document was opened anew.'
    default:
      return assertNever(because)
  }
}
