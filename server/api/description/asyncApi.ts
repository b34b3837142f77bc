import { Components, type Json, type JsonMembers } from './components.ts'
import { CHANNELS, type ChannelAbout, type MessageAbout } from './channels.ts'
import type { DescribedServer } from './openApi.ts'

/** The AsyncAPI 3 document of what is not asked and answered (SPEC API-3): live editing, and what is told of events. */
export function asyncApi({ version, publicUrl }: DescribedServer): JsonMembers {
  const components = new Components()
  const channels = Object.entries(CHANNELS).map(([name, about]): [string, Json] => [name, channel(about, components)])
  const { host, protocol, pathname } = new URL(publicUrl)
  const isSecure = protocol === 'https:'
  const at = { host, pathname: `${pathname.replace(/\/$/, '')}/v1` }
  const security = [{ $ref: '#/components/securitySchemes/bearer' }]
  return {
    asyncapi: '3.1.0',
    info: {
      title: 'Parley',
      version,
      description: INTRODUCTION,
      license: { name: 'MIT' },
      externalDocs: { description: 'Requests and their answers, as OpenAPI', url: `${publicUrl}/openapi.json` },
    },
    defaultContentType: JSON_TYPE,
    servers: {
      sockets: { ...at, protocol: isSecure ? 'wss' : 'ws', description: 'WebSocket.', security },
      requests: { ...at, protocol: isSecure ? 'https' : 'http', description: 'Server-Sent Events.', security },
    },
    channels: Object.fromEntries<Json>(channels),
    operations: Object.fromEntries<Json>(
      Object.entries(CHANNELS).flatMap(([name, about]) => operationsOf(name, about)),
    ),
    components: { schemas: components.all().schemas, securitySchemes: { bearer: BEARER } },
  }
}

const JSON_TYPE = 'application/json'

const INTRODUCTION = `What Parley tells by itself, and how documents are edited live.

A WebSocket that ends is closed with a code: 1000 to 1013 as everywhere, 44xx where it will end the same way next time,
1012, 1013 and 45xx where it is worth coming back. The reason of the close begins with the \`code\` of the problem.`

const BEARER = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: 'As `Authorization: Bearer`, or as `?token=`, because browsers cannot set a header there.',
}

function channel(
  { address, title, description, parameters, bindings, messages }: ChannelAbout,
  components: Components,
): Json {
  const shown = messages.map((message): [string, Json] => [message.name, messageOf(message, components)])
  return {
    address,
    title,
    description,
    ...(parameters ? { parameters } : {}),
    ...(address === null
      ? {}
      : { servers: [{ $ref: `#/servers/${bindings && 'http' in bindings ? 'requests' : 'sockets'}` }] }),
    messages: Object.fromEntries<Json>(shown),
    ...(bindings ? { bindings } : {}),
  }
}

const messageOf = ({ name, summary, contentType, payload, headers }: MessageAbout, components: Components): Json => ({
  name,
  summary,
  contentType,
  payload: components.refer(payload),
  ...(headers ? { headers: components.refer(headers) } : {}),
})

/** What the server sends on a channel, and what it receives. */
function operationsOf(name: string, { title, messages }: ChannelAbout): [string, Json][] {
  const sides = [
    ['send', 'server', 'Tells'],
    ['receive', 'client', 'Takes'],
  ] as const
  return sides.flatMap(([action, by, verb]): [string, Json][] => {
    const those = messages.filter((message) => message.by === by || message.by === 'both')
    if (those.length === 0) return []
    const refs = those.map((message) => ({ $ref: `#/channels/${name}/messages/${message.name}` }))
    const summary = `${verb}: ${title}`
    return [[`${action}${capital(name)}`, { action, channel: { $ref: `#/channels/${name}` }, summary, messages: refs }]]
  })
}

const capital = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1)
