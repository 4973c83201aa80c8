/** The job's summary for people, as Markdown. */

/** A move, what it changed, the holds in force, and the last moves of its channel. */
export function moved({ channel, op, result, previous_digest: previous, digest, move, live, hold }, events, holds = [], changes) {
  const said = { committed: 'done', unchanged: 'nothing to do, it was there already', replayed: 'done before under this key' }
  // After a replay, a later move may have set the live digest.
  const rows = [['before', previous ? code(previous) : 'nothing'], ['after', code(digest)]]
  if (live.digest !== digest) rows.push(['live now', code(live.digest)])
  const lines = [`## ${op} of ${code(channel)}: ${said[result]}`, '', ...table(['', 'digest'], rows), '']
  if (hold !== undefined) lines.push(`Promotions wait until a person ends hold ${hold}: \`tagwarden unhold ${channel} ${hold}\``, '')
  if (changes !== undefined) lines.push('### Changes', '', ...changed(changes), '')
  if (holds.length > 0) lines.push('### Holds in force', '', ...table(['', ''], holds.map(held)), '')
  const findings = move?.intent.decision.findings ?? []
  if (findings.length > 0) lines.push('### Findings of the policy', '', ...found(findings), '')
  return [...lines, ...past(events), ''].join('\n')
}

/** The difference of two releases. */
function changed({ old, new: brought, compare_url: url, between, platforms, layers, files, notes = [] }) {
  const rows = ['version', 'revision', 'created'].flatMap((name) => {
    const [was, is] = [old, brought].map(({ annotations = {} }) => annotations[name])
    return was === is ? [] : [[name, `${text(was ?? 'not known')} → ${text(is ?? 'not known')}`]]
  })
  const compare = link(url, 'the revisions')
  if (compare) rows.push(['compare', compare])
  if (between) {
    const moves = between.count === 1 ? '1 move' : `${between.count} moves`
    rows.push(['between', `${moves}, ${apart(between.apart_ms)} apart${between.apart_ms < 0 ? ', back' : ''}`])
  }
  for (const [name, of] of [['platforms', platforms], ['layers', layers]]) {
    if (of) rows.push([name, `${of.added.length} added, ${of.gone.length} gone, ${of.same} the same`])
  }
  if (files) {
    const count = (word) => `${files.filter(({ change }) => change === word).length} ${word}`
    rows.push(['files', ['changed', 'added', 'gone'].map(count).join(', ')])
    // GitHub takes summaries of up to 1 MiB.
    for (const { path, change } of files.slice(0, 100)) rows.push([change, text(path)])
  }
  return [...(rows.length > 0 ? table(['', ''], rows) : []), ...notes.flatMap((note) => ['', text(note)])]
}

/** A time for people, in its largest unit. */
function apart(ms) {
  const seconds = Math.trunc(Math.abs(ms) / 1000)
  const [unit, size] = [['days', 86400], ['hours', 3600], ['minutes', 60]].find(([, size]) => seconds >= 2 * size) ?? ['seconds', 1]
  return `${Math.trunc(seconds / size)} ${unit}`
}

/** A hold: who, why, and until when. */
function held({ seq, scope, reason, provenance, until }) {
  const end = until ? `, until ${until}` : ''
  return [`hold ${seq}`, `${scope === 'all' ? 'all moves' : scope}: ${text(reason)} (${text(provenance.actor.id)}${end})`]
}

/** The ledger that continues a migrated log. */
export const goesOn = ({ seq, ledger }) => `the log was migrated to ${ledger} at seq ${seq}; this is what was until then`

/** The state of a channel. */
export function current({ channel, live, previous, open, holds = [], blocks = [], migrated, size }) {
  const rows = [['live', live ? code(live) : 'nothing yet'], ['previous', previous ? code(previous) : 'nothing']]
  if (open) rows.push(['open move', `${open.op} to ${code(open.target)} at ${open.seq}`])
  rows.push(...holds.map(held))
  for (const { channel: on, digest, reason, provenance } of blocks) {
    rows.push(['blocked', `${code(digest)} on ${code(on)}: ${text(reason)} (${text(provenance.actor.id)})`])
  }
  if (migrated) rows.push(['migrated', text(goesOn(migrated))])
  rows.push(['entries', String(size)])
  return [`## ${code(channel)}`, '', ...table(['', ''], rows), ''].join('\n')
}

export function history(channel, events, migrated) {
  const note = migrated ? [text(goesOn(migrated)), ''] : []
  return [`## ${code(channel)}`, '', ...note, ...past(events), ''].join('\n')
}

export function audited({ worst, channels }) {
  const rows = channels.map(({ channel, state, live, expected, observed, why }) => [
    code(channel), state.replaceAll('_', ' ') + (why ? `: ${text(why)}` : ''), code(short(live ?? expected)), code(short(observed ?? live)),
  ])
  const well = channels.length === 0 ? 'the ledger has no channels' : 'every tag is where the ledger says'
  const head = worst === undefined ? well : `the worst is ${worst}`
  const warnings = channels.flatMap(({ channel, findings = [] }) => findings.map(({ why }) => `- ${code(channel)}: ${text(why)}`))
  const listed = warnings.length > 0 ? ['### Warnings', '', ...warnings, ''] : []
  return [`## Audit: ${head}`, '', ...table(['channel', 'state', 'ledger', 'registry'], rows), '', ...listed].join('\n')
}

export function retention({ repository, digests, blocked }) {
  const rows = digests.map(({ digest, keep, expire }) => [code(digest), keep ? 'stays' : 'may go', text((keep ?? expire).reason)])
  const note = blocked ? ['', `Nothing expires: ${text(blocked)}`] : []
  return [`## Retention of ${code(repository)}`, ...note, '', ...table(['digest', '', 'because'], rows), ''].join('\n')
}

/** An error, with every finding if the policy refused. */
export function failure(error) {
  const lines = [`## ${error.code ?? 'Failed'}`, '', text(error.message), '']
  if (error.findings?.length > 0) lines.push(...found(error.findings), '')
  if (error.retry === 'recover') lines.push('The move may be half done: run `tagwarden recover`, on any machine.', '')
  return lines.join('\n')
}

function found(findings) {
  return table(['', 'guardrail', 'why'], findings.map(({ verdict, guardrail, code: of, why }) => [
    verdict, of ? `${text(guardrail)} ${of}` : text(guardrail), text(why),
  ]))
}

function past(events) {
  return table(['seq', 'when', 'move', 'to', 'by', 'run', 'ended'], events.map(({ seq, at, status, intent }) => [
    String(seq), at, intent.op, code(short(intent.target.digest)), text(intent.provenance.actor.id), run(intent.provenance.pipeline), status,
  ]))
}

/** A run, with a link if its URL, which comes from the ledger, is safe in Markdown. */
function run({ run_id, url }) {
  return link(url, run_id) ?? text(run_id)
}

/** A link, if the URL is safe in Markdown. */
function link(url, words) {
  return /^https:\/\/[\w.:/?=&%+~,-]+$/.test(url ?? '') ? `[${text(words)}](${url})` : undefined
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
}

/** The first digits of a digest. */
function short(digest) {
  return digest === undefined ? '–' : digest.slice(0, 19)
}

function code(value) {
  return `\`${String(value).replaceAll('`', "'")}\``
}

/** Escaped text: no Markdown, no HTML, no automatic link, one line, no end of a cell. */
function text(value) {
  const line = String(value).replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
  return line.replace(/[\\`*_{}[\]<>|#@~]|:(?=\/\/)|(?<=\bwww)\./gi, (sign) => `\\${sign}`)
}
