import type { LogOutput } from '../../server/http/logOutput.ts'

/** Every token is a JWT, whose first part is the base64 of `{"…`; every secret of a webhook has its prefix. */
const SECRET = /eyJ[\w-]{8,}\.|whsec_|\b[Bb]earer /
/** From a warning up; most lines of a debug log are none, so none is parsed. */
const LOOKED_AT = /"level":[4-6]0/

const lockTokens = new Set<string>()
const leaks: string[] = []

/** Told of the token of each lock that a test server gave out. */
export const noteLockToken = (token: string): void => void lockTokens.add(token)

/** The lines with secrets in them, of all servers of this file, since it was asked last; their lock tokens are forgotten. */
export function takeLeaks(): string[] {
  lockTokens.clear()
  return leaks.splice(0)
}

/** SPEC OPS-10: the log of test servers, which looks for secrets in every line and shows what is to be looked at. */
export const watchedLog: LogOutput = {
  write(line) {
    if (SECRET.test(line) || Array.from(lockTokens).some((token) => line.includes(token))) leaks.push(line)
    if (LOOKED_AT.test(line)) process.stdout.write(line)
  },
}
