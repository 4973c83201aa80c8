/** The outputs of the Action have the names of the log and of the command line: `previous_digest`. */

/** Objects whose names are data. */
const FREE = ['annotations', 'claims']

/** A record of Node, with the names of its fields in snake_case. */
export function report(record) {
  if (Array.isArray(record)) return record.map(report)
  if (typeof record !== 'object' || record === null) return record
  return Object.fromEntries(Object.entries(record).map(([name, field]) => [snake(name), FREE.includes(name) ? field : report(field)]))
}

function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
