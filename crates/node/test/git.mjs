/** A Git host on loopback: Debian's `git http-backend` behind a login. */

import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Runs git, without the settings of the machine; its output. */
export function git(...args) {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' }
  return execFileSync('git', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/**
 * Starts a host with one empty repository, which a token may read and write. Returns `{url, repository, logins}`: the host's URL, the
 * repository's directory, and the login of each request.
 */
export async function gitHost(t, { name, token }) {
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  const repository = join(home, `${name}.git`)
  git('init', '--quiet', '--bare', repository)
  for (const setting of ['http.receivepack', 'uploadpack.allowFilter']) git('-C', repository, 'config', setting, 'true')
  const logins = []
  const right = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`
  const server = createServer((request, answer) => {
    const { authorization } = request.headers
    logins.push(authorization)
    if (authorization !== right) return answer.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    backend(home, request, answer)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(async () => {
    await new Promise((resolve) => server.close(resolve))
    await rm(home, { recursive: true, force: true })
  })
  return { url: `http://127.0.0.1:${server.address().port}`, repository, logins }
}

/** Answers a request by `git http-backend`, a CGI program (RFC 3875). */
function backend(home, request, answer) {
  const { pathname, search } = new URL(request.url, 'http://host')
  const { headers } = request
  const env = {
    PATH: process.env.PATH, GIT_PROJECT_ROOT: home, GIT_HTTP_EXPORT_ALL: '1', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null',
    REQUEST_METHOD: request.method, PATH_INFO: decodeURIComponent(pathname), QUERY_STRING: search.slice(1), REMOTE_USER: 'ci',
    CONTENT_TYPE: headers['content-type'] ?? '', HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
    GIT_PROTOCOL: headers['git-protocol'] ?? '',
    ...(headers['content-length'] && { CONTENT_LENGTH: headers['content-length'] }),
  }
  const child = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'ignore'] })
  const parts = []
  child.stdin.on('error', () => {})
  request.pipe(child.stdin)
  child.stdout.on('data', (part) => parts.push(part))
  child.on('close', () => {
    const whole = Buffer.concat(parts)
    const end = whole.indexOf('\r\n\r\n')
    const fields = whole.subarray(0, end).toString().split('\r\n').map((line) => line.split(/: */))
    const { Status = '200', ...rest } = Object.fromEntries(fields)
    answer.writeHead(parseInt(Status, 10), rest).end(whole.subarray(end + 4))
  })
}
