/**
 * Many wishes, few runs: `task` starts `delayMs` after the first wish, never twice at once, and once more
 * if a wish came while it ran. The task deals with its own failures.
 */
export function coalesce(delayMs: number, task: () => Promise<void>): { wish(): void; close(): void } {
  let state: 'idle' | 'waiting' | 'running' | 'running-wished' | 'closed' = 'idle'
  let timer: ReturnType<typeof setTimeout> | undefined

  async function run(): Promise<void> {
    state = 'running'
    await task()
    const again = (state as string) === 'running-wished'
    if ((state as string) !== 'closed') state = 'idle'
    if (again) wish()
  }

  function wish(): void {
    if (state === 'running') state = 'running-wished'
    if (state !== 'idle') return
    state = 'waiting'
    timer = setTimeout(() => void run(), delayMs)
  }

  return {
    wish,
    close() {
      state = 'closed'
      clearTimeout(timer)
    },
  }
}
