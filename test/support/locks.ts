import { expectStatus } from './conflicts.ts'
import type { Caller } from './server.ts'

export const lockOf = (id: string): string => `/documents/${id}/lock`

interface Lock {
  readonly token: string
  readonly fence: number
  readonly expiresAt: string
}

export async function acquire(by: Caller, id: string, ttlSeconds = 60): Promise<Lock> {
  return expectStatus(await by.post(lockOf(id), { ttlSeconds }), 201).body
}
export const showing = ({ token }: { token: string }): Record<string, string> => ({ 'lock-token': token })
