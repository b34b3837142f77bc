import { noteContents, takeLeaks, watchLine } from '../support/watchedLog.ts'
import { describe, expect, it } from 'vitest'
import { loggedError } from '../../server/http/loggedError.ts'
import { inFormat, prettyLine } from '../../server/http/logOutput.ts'
import { loggedPath } from '../../server/http/requestLog.ts'

const line = (facts: object): string =>
  `${JSON.stringify({ level: 30, time: Date.UTC(2026, 0, 2, 3, 4, 5, 6), pid: 7, hostname: 'h', ...facts })}\n`

describe('a line of the log for a person', () => {
  it('[OPS-10] says when, how grave, what, and the facts by name', () => {
    const shown = prettyLine(line({ reqId: 'a-1', status: 409, principal: 'anna b', msg: 'request' }))
    expect(shown).toBe('03:04:05.006 info  request  reqId=a-1  status=409  principal="anna b"\n')
  })

  it('[OPS-10] has the stack of an error below it', () => {
    const err = loggedError(new Error('the disk is gone'))
    const [first, second, third] = prettyLine(line({ level: 50, err, msg: 'failed' })).split('\n')
    expect([first, second]).toEqual(['03:04:05.006 error failed', 'Error: the disk is gone'])
    expect(third).toMatch(/^ {4}at /)
  })

  it('[OPS-10] writes control characters out', () => {
    expect(prettyLine(line({ path: '/\u009b2J', msg: '\u001b[31mred\n' }))).toBe(
      '03:04:05.006 info  \\u{1b}[31mred\n  path=/\\u{9b}2J\n',
    )
  })

  it('[OPS-10] is JSON where that is the format', () => {
    const written: string[] = []
    inFormat('json', { write: (text) => written.push(text) }).write(line({ msg: 'x' }))
    expect(written).toEqual([line({ msg: 'x' })])
  })
})

describe('what the log shows', () => {
  it('[OPS-10] of a path neither the query, encoded or not, nor more than 512 characters', () => {
    expect(['/a?token=x', '/a%3Ftoken=x', '/a%3ftoken=x'].map(loggedPath)).toEqual(['/a', '/a', '/a'])
    expect(loggedPath(`/${'a'.repeat(600)}`)).toHaveLength(512)
  })

  it('[OPS-10] of an error no members, and of one that quotes what it read not the message', () => {
    const quoting = ((): unknown => {
      try {
        return JSON.parse('MARKED')
      } catch (error) {
        return error
      }
    })()
    const error = Object.assign(new Error('broken', { cause: quoting }), { code: 'E_X', extras: { current: 'MARKED' } })
    const shown = loggedError(error)
    expect(shown).toMatchObject({ type: 'Error', message: 'broken', code: 'E_X', cause: { type: 'SyntaxError' } })
    expect(JSON.stringify(shown)).not.toContain('MARKED')
    expect(JSON.stringify(loggedError('MARKED'))).not.toContain('MARKED')
  })
})

describe('the watch over the logs of test servers', () => {
  const line = (facts: object): string => JSON.stringify({ level: 30, time: 5, ...facts })

  it.each([
    ['a content', { err: { message: 'cannot place "Call Ada on Friday"' } }],
    ['a content in what is no error', { msg: 'request', body: { text: ['Call Ada on Friday'] } }],
    ['a value deep in a content', { msg: 'taken in: milk and butter' }],
    ['a token', { msg: 'with eyJhbGciOiJIUzI1NiJ9.e30.x' }],
    ['a secret of a webhook', { hook: 'whsec_abc' }],
  ])('[OPS-10] finds %s', (_what, facts) => {
    noteContents({ id: 'a', content: 'Call Ada on Friday', operations: [{ content: { list: ['milk and butter'] } }] })
    watchLine(line(facts))
    expect(takeLeaks()).toEqual([line(facts)])
  })

  it('[OPS-10] takes no id for a content, nor what no test has sent', () => {
    noteContents({ document: 'meeting-notes', content: 'meeting-notes' })
    watchLine(line({ msg: 'request', document: 'meeting-notes', path: '/documents/meeting-notes' }))
    watchLine(line({ msg: 'request', err: { message: 'the disk is full' } }))
    expect(takeLeaks()).toEqual([])
  })
})
