import { Parser } from '@asyncapi/parser'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import spectral from '@stoplight/spectral-core'
import owasp from '@stoplight/spectral-owasp-ruleset'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describedServer } from '../support/describedServer.ts'
import type { TestServer } from '../support/server.ts'

const PUBLIC = /^paths\.\/(\.get|healthz|readyz|openapi\.json|asyncapi\.json|problems)/

/** Rules of the OWASP set that this API breaks on purpose, where, and why. */
const EXCEPTIONS: readonly { readonly rule: string; readonly at: RegExp; readonly why: string }[] = [
  {
    rule: 'owasp:api4:2023-string-restricted',
    at: /./,
    why: 'contents, comments, names and pointers are any text; each has a bound',
  },
  {
    rule: 'owasp:api2:2023-no-credentials-in-url',
    at: /^paths\.\/conflict-notifications\.get\.parameters/,
    why: 'EventSource cannot set a header; `?token=` counts for the stream alone (AUTH-1), and no log holds it',
  },
  {
    rule: 'owasp:api2:2023-read-restricted',
    at: PUBLIC,
    why: 'who monitors holds no key to the documents, and what the API is like is no secret',
  },
  {
    rule: 'owasp:api8:2023-define-error-responses-401',
    at: PUBLIC,
    why: 'these ask for no token',
  },
  {
    rule: 'owasp:api4:2023-rate-limit-responses-429',
    at: PUBLIC,
    why: 'monitoring is never refused, and what the API is like costs a glance at memory',
  },
]

/** The OWASP rules; those about schemas look at each schema where it stands, not once more wherever it is referred to. */
function ruleset(): Parameters<InstanceType<typeof spectral.Spectral>['setRuleset']>[0] {
  const { rules, ...rest } = owasp as unknown as { rules: Record<string, object> }
  const isOfSchemas = (name: string): boolean => /:api(1|3):|:api4:.*(string|array|integer)/.test(name)
  const changed = Object.entries(rules).map(([name, rule]) => [
    name,
    isOfSchemas(name) ? { ...rule, resolved: false } : rule,
  ])
  return { ...rest, rules: Object.fromEntries(changed) }
}

describe('GET /openapi.json', () => {
  let server: TestServer
  let text: string
  beforeAll(async () => {
    server = await describedServer()
    text = await (await fetch(`${server.url}/openapi.json`)).text()
  })
  afterAll(() => server.stop())

  it('[API-3] is a valid OpenAPI 3.1 document, by the recommended rules of Redocly', async () => {
    const config = await createConfig({ extends: ['recommended'] })
    const problems = await lintFromString({ source: text, absoluteRef: '/openapi.json', config })
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
  })

  it('[API-3] keeps the rules of OWASP, but for those that it breaks on purpose', async () => {
    const linter = new spectral.Spectral()
    linter.setRuleset(ruleset())
    const findings = (await linter.run(JSON.parse(text))).map(({ code, path, message }) => ({
      rule: String(code),
      at: path.join('.'),
      message,
    }))
    const isListed = ({ rule, at }: { rule: string; at: string }): boolean =>
      EXCEPTIONS.some((exception) => exception.rule === rule && exception.at.test(at))
    expect(findings.filter((finding) => !isListed(finding))).toEqual([])
    const unused = EXCEPTIONS.filter(({ rule }) => !findings.some((finding) => finding.rule === rule))
    expect(unused).toEqual([])
  })

  it('[API-3] is the same under /v1', async () => {
    expect(await (await fetch(`${server.url}/v1/openapi.json`)).text()).toBe(text)
  })
})

describe('GET /asyncapi.json', () => {
  it('[API-3] is a valid AsyncAPI 3 document', async () => {
    const server = await describedServer()
    try {
      const text = await (await fetch(`${server.url}/asyncapi.json`)).text()
      const { document, diagnostics } = await new Parser().parse(text)
      expect(diagnostics.map(({ code, message, path }) => [code, message, path.join('.')])).toEqual([])
      expect(
        document
          ?.channels()
          .all()
          .map((channel) => channel.id()),
      ).toEqual(['live', 'notifications', 'stream', 'webhook'])
    } finally {
      await server.stop()
    }
  })
})
