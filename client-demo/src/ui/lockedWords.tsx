import type { JSX } from 'preact'
import { clock, countdown } from '../present/countdown.ts'
import { personOf } from '../present/names.ts'
import type { Lock } from '../parley/types.ts'
import { useSecond } from './hooks.ts'
import { useNames } from './parts.ts'

/** `Locked by Ada until 14:05 (4:32).` and what that means. */
export function LockedWords({ lock, what = '' }: { lock: Lock; what?: string }): JSX.Element {
  const names = useNames()
  return (
    <span data-testid="locked-words" data-owner={lock.owner}>
      Locked by {personOf(lock.owner, names)} until <time dateTime={lock.expiresAt}>{clock(lock.expiresAt)}</time>{' '}
      <Countdown until={lock.expiresAt} />
      {what !== '' && `. ${what}`}
    </span>
  )
}

/** Counts down for the eye alone: read aloud every second it would be a nuisance. */
export function Countdown({ until }: { until: string }): JSX.Element {
  const now = useSecond()
  return (
    <span class="number" aria-hidden="true" data-testid="countdown">
      ({countdown(until, now)})
    </span>
  )
}
