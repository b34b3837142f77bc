import type { LogOutput } from '../../server/http/logOutput.ts'

/** Every token is a JWT, whose first part is the base64 of `{"…`; every secret of a webhook has its prefix. */
const SECRET = /eyJ[\w-]{8,}\.|whsec_|\b[Bb]earer /
const WARN = 40

const lockTokens = new Set<string>()
const leaks: string[] = []

/** Told of the token of each lock that a test server gave out. */
export const noteLockToken = (token: string): void => void lockTokens.add(token)

/** The lines with secrets in them, of all servers of this file, since it was asked last. */
export const takeLeaks = (): string[] => leaks.splice(0)

/** SPEC OPS-10: the log of test servers, which looks for secrets in every line and shows what is to be looked at. */
export const watchedLog: LogOutput = {
  write(line) {
    if (SECRET.test(line) || Array.from(lockTokens).some((token) => line.includes(token))) leaks.push(line)
    const level: unknown = Reflect.get(JSON.parse(line), 'level')
    if (Number(level) >= WARN) process.stdout.write(line)
  },
}
