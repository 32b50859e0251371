/** What a statement means to the transaction around it. */
export interface StatementKind {
  kind: 'savepoint' | 'rollbackTo' | 'control'
  /** Name of the savepoint; of a control statement its first words. */
  name: string
}

const INTERESTING = /\b(?:savepoint|begin|start|commit|end|rollback|abort|prepare)\b/i
// One token: comment, quoted text, dollar-quoted text, semicolon, word, or any other character.
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|;|[A-Za-z_][\w$]*|\s+|[\s\S]/g

/** Finds, at the start of each statement of a text, what begins, ends or divides a transaction. */
export function statementKinds(text: string): StatementKind[] {
  if (!INTERESTING.test(text)) return []
  return statementsOf(text).flatMap(words => {
    const kind = kindOf(words)
    return kind === undefined ? [] : [kind]
  })
}

function statementsOf(text: string): string[][] {
  const statements: string[][] = []
  let words: string[] = []
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === ';') {
      statements.push(words)
      words = []
    } else if (/^[A-Za-z_]/.test(token) && !/^[eE]'/.test(token)) {
      // The body of a function in the SQL standard's form has semicolons and an END of its own.
      if (/^atomic$/i.test(token) && words.at(-1) === 'begin' && words[0] === 'create') break
      words.push(token.toLowerCase())
    } else if (token.startsWith('"') && token.length > 1) {
      words.push(token)
    }
  }
  return [...statements, words]
}

function kindOf(words: string[]): StatementKind | undefined {
  const [first, second, third] = words
  if (first === 'savepoint') return { kind: 'savepoint', name: second ?? '' }
  if (first === 'rollback') {
    const to = words.indexOf('to')
    if (to !== 1 && to !== 2) return { kind: 'control', name: 'ROLLBACK' }
    const name = words[to + 1] === 'savepoint' && words[to + 2] !== undefined ? words[to + 2] : words[to + 1]
    return { kind: 'rollbackTo', name: name ?? '' }
  }
  if (first === 'start' && second === 'transaction') return { kind: 'control', name: 'START TRANSACTION' }
  if (first === 'prepare' && second === 'transaction' && third === undefined)
    return { kind: 'control', name: 'PREPARE TRANSACTION' }
  if (first === 'begin' || first === 'commit' || first === 'end' || first === 'abort')
    return { kind: 'control', name: first.toUpperCase() }
  return undefined
}
