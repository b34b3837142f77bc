/**
 * nginx and Apache themselves, with what Debian configures by default, where they are to be had: on this machine, or below
 * the folder that `PARLEY_TEST_PROXIES` names (`apt-get download nginx apache2-bin libapr1 libaprutil1`, then
 * `dpkg -x` each into it: nothing is installed).
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Proxy, ProxyOptions } from './proxies.ts'

const ROOT = process.env['PARLEY_TEST_PROXIES'] ?? '/'
const NGINX = join(ROOT, 'usr/sbin/nginx')
const APACHE = join(ROOT, 'usr/sbin/apache2')
const APACHE_MODULES = join(ROOT, 'usr/lib/apache2/modules')

export const hasNginx = existsSync(NGINX)
export const hasApache = existsSync(APACHE)

/** `gzip on` as Debian has it, with the types that it lists and leaves to whoever takes the comment away. */
export const realNginx = (options: ProxyOptions): Promise<Proxy> =>
  started(options, NGINX, (folder, port) => {
    const { upstream, prefix = '', strips = true } = options
    const config = `
daemon off; pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; gzip on; gzip_types text/plain application/json; gzip_proxied any;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:${port}; location ${prefix}/ { proxy_pass ${upstream}${strips ? '/' : ''}; } }
}`
    writeFileSync(join(folder, 'nginx.conf'), config)
    return ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', join(folder, 'error.log')]
  })

/** mod_deflate for what Debian's deflate.conf lists. */
export const realApache = (options: ProxyOptions): Promise<Proxy> =>
  started(options, APACHE, (folder, port) => {
    const { upstream, prefix = '', strips = true } = options
    const modules = ['mpm_event', 'authz_core', 'filter', 'deflate', 'proxy', 'proxy_http']
    const config = `
${modules.map((name) => `LoadModule ${name}_module ${APACHE_MODULES}/mod_${name}.so`).join('\n')}
ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
DefaultRuntimeDir ${folder}
ErrorLog ${folder}/error.log
AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css application/javascript application/json
ProxyPass ${prefix}/ ${upstream}${strips ? '/' : `${prefix}/`} upgrade=websocket
`
    writeFileSync(join(folder, 'apache.conf'), config)
    return ['-f', join(folder, 'apache.conf'), '-DFOREGROUND']
  })

async function started(
  { prefix = '' }: ProxyOptions,
  program: string,
  configure: (folder: string, port: number) => string[],
): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-proxy-'))
  mkdirSync(join(folder, 'logs'))
  const port = await freePort()
  const child = spawn(program, configure(folder, port), {
    stdio: 'ignore',
    env: { ...process.env, LD_LIBRARY_PATH: join(ROOT, 'usr/lib/x86_64-linux-gnu') },
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await listens(port, () => child.exitCode !== null)
  return {
    url: `http://127.0.0.1:${port}${prefix}`,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

async function listens(port: number, hasEnded: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !hasEnded(); tries++) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => setTimeout(resolve, 50, false))
      socket.once('connect', () => socket.destroy())
    })
    if (isThere) return
  }
  throw new Error('the proxy did not start')
}
