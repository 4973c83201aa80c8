// The public surface of each language, as the names of its classes, methods, arguments and fields in camelCase.
import ts from 'typescript'

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())

/** Arguments that are objects of options: their fields are the arguments. */
const OBJECTS = ['options', 'operation', 'words', 'login', 'given']

/** The members that every value or every record of a language has. */
const COMMON = ['equals', 'toString', 'toJSON', 'toDict', 'fromDict', 'signal']

function surface() {
  const found = new Map()
  const add = (owner, name, args) => {
    if (COMMON.includes(name)) return
    if (!found.has(owner)) found.set(owner, new Set())
    found.get(owner).add(name)
    for (const arg of args ?? []) if (!COMMON.includes(arg)) found.get(owner).add(`${name}(${arg})`)
  }
  /** The surface, in which a class also has the members of its base. */
  const ended = (bases) => {
    for (const [name, base] of bases) {
      for (const member of found.get(base) ?? []) add(name, member)
    }
    return found
  }
  return { add, ended }
}

/** The surface of the types in a file: a set of `method`, `method(argument)` and `field` for each class or record. */
export function nodeSurface(file) {
  const program = ts.createProgram([file], { strict: true, skipLibCheck: true, types: ['node'], lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'] })
  const checker = program.getTypeChecker()
  const { add, ended } = surface()
  const bases = new Map()
  const fields = (type) => {
    const given = checker.getNonNullableType(checker.getTypeAtLocation(type))
    return (given.types ?? [given]).flatMap((part) => checker.getPropertiesOfType(part).map(({ name }) => name))
  }
  const args = ({ parameters }) => parameters?.flatMap(({ name, type }) => (OBJECTS.includes(name.text) ? fields(type) : [name.text]))
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)))) {
    for (const declaration of symbol.declarations) {
      if (ts.isFunctionDeclaration(declaration)) add('functions', symbol.name, args(declaration))
      if (ts.isTypeAliasDeclaration(declaration)) continue
      for (const member of declaration.members ?? declaration.type?.members ?? []) {
        if (ts.isConstructorDeclaration(member)) add(symbol.name, 'new', args(member))
        else if (ts.isIdentifier(member.name)) add(symbol.name, member.name.text, args(member))
      }
      const base = declaration.heritageClauses?.[0].types[0].expression.text
      if (base !== undefined) bases.set(symbol.name, base)
    }
  }
  return ended(bases)
}

/** The same of a Python stub. A time has a unit in Node's name, because it is a plain number there. */
export function pythonSurface(stub) {
  const { add, ended } = surface()
  const bases = new Map()
  const named = (name, type) => camel(name) + (/timedelta|^float/.test(type) ? 'Ms' : '')
  let owner
  for (const [, kind, name, parameters, end] of stub.matchAll(/^(class| {4}def|def) (\w+)([^]*?)(?:-> ([^]*?))?:(?: \.\.\.)?\n/gm)) {
    if (kind === 'class') {
      owner = name
      bases.set(name, parameters.slice(1, -1))
    } else if (!name.startsWith('_') || name === '__new__') {
      const args = [...parameters.matchAll(/(\w+): ([^,=]*)/g)].map(([, arg, type]) => named(arg, type))
      const member = name === '__new__' ? 'new' : args.length === 0 ? named(name, end) : camel(name)
      add(kind === 'def' ? 'functions' : owner, member, args)
    }
  }
  return ended(bases)
}
