/** What a page of another origin has in a real browser: stock clients, made one script by `otherOrigin.ts`. */
import { fetchEventSource } from '@microsoft/fetch-event-source'
import { EventSourcePolyfill } from 'event-source-polyfill'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

globalThis.clients = { Y, WebsocketProvider, EventSourcePolyfill, fetchEventSource }
