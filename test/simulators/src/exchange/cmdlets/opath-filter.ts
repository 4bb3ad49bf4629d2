import type { ExchangeValue } from '../organization/exchange-object.ts'

export type OpathFilter = (properties: ReadonlyMap<string, ExchangeValue>) => boolean

type Token = { kind: 'word' | 'operator' | 'text' | 'variable' | 'open' | 'close'; text: string }

const TOKEN = /\s*(?:(\()|(\))|'((?:[^']|'')*)'|"((?:[^"]|"")*)"|\$(\w+)|-(\w+)|([^\s()'"]+))/y

/**
 * Reads the part of OPATH that matters here: comparisons with -and, -or, -not and brackets. `filterable` are the property
 * names allowed. Throws an Error in Microsoft's words.
 */
export function parseOpathFilter(text: string, filterable: readonly string[]): OpathFilter {
  const trimmed = text.trim()
  const tokens = tokenize(trimmed.startsWith('{') && trimmed.endsWith('}') ? trimmed.slice(1, -1) : trimmed)
  let position = 0

  const peek = () => tokens[position]
  const take = () => {
    const token = tokens[position]
    if (token === undefined) throw invalid('unexpected end of the filter')
    position += 1
    return token
  }
  const isOperator = (name: string) => peek()?.kind === 'operator' && peek()?.text.toLowerCase() === name

  function either(): OpathFilter {
    let left = both()
    while (isOperator('or')) {
      take()
      const [first, second] = [left, both()]
      left = (properties) => first(properties) || second(properties)
    }
    return left
  }
  function both(): OpathFilter {
    let left = single()
    while (isOperator('and')) {
      take()
      const [first, second] = [left, single()]
      left = (properties) => first(properties) && second(properties)
    }
    return left
  }
  function single(): OpathFilter {
    if (isOperator('not')) {
      take()
      const inner = single()
      return (properties) => !inner(properties)
    }
    if (peek()?.kind === 'open') {
      take()
      const inner = either()
      if (take().kind !== 'close') throw invalid('a closing parenthesis is missing')
      return inner
    }
    return comparison()
  }
  function comparison(): OpathFilter {
    const property = take()
    if (property.kind !== 'word' || !filterable.some((name) => name.toLowerCase() === property.text.toLowerCase())) {
      throw invalid(
        `"${property.text}" is not a recognized filterable property. For a complete list of filterable properties see the command help.`,
      )
    }
    const operator = take()
    if (operator.kind !== 'operator') throw invalid(`"${operator.text}" is not an operator`)
    const value = take()
    if (value.kind === 'open' || value.kind === 'close' || value.kind === 'operator') throw invalid('a value is missing')
    const key = property.text.toLowerCase()
    const compare = comparerOf(operator.text.toLowerCase(), value)
    return (properties) => compare(valuesOf(properties.get(key) ?? null))
  }

  const filter = either()
  if (position < tokens.length) throw invalid(`unexpected "${peek()?.text}"`)
  return filter
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length && text.slice(TOKEN.lastIndex).trim() !== '') {
    const match = TOKEN.exec(text)
    if (match === null) throw invalid('an unterminated string')
    const [, open, close, single, double, variable, operator, word] = match
    if (open !== undefined) tokens.push({ kind: 'open', text: open })
    else if (close !== undefined) tokens.push({ kind: 'close', text: close })
    else if (single !== undefined) tokens.push({ kind: 'text', text: single.replaceAll("''", "'") })
    else if (double !== undefined) tokens.push({ kind: 'text', text: double.replaceAll('""', '"') })
    else if (variable !== undefined) tokens.push({ kind: 'variable', text: variable })
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator })
    else tokens.push({ kind: 'word', text: word ?? '' })
  }
  return tokens
}

function comparerOf(operator: string, token: Token): (values: string[]) => boolean {
  const wanted = token.kind === 'variable' && token.text.toLowerCase() === 'null' ? '' : token.text.toLowerCase()
  const any = (test: (value: string) => boolean) => (values: string[]) =>
    (values.length === 0 ? [''] : values).some((value) => test(value.toLowerCase()))
  const like = new RegExp(
    `^${wanted
      .split('*')
      .map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
    's',
  )
  if (operator === 'eq') return any((value) => value === wanted)
  if (operator === 'ne') return (values) => !any((value) => value === wanted)(values)
  if (operator === 'like') return any((value) => like.test(value))
  if (operator === 'notlike') return (values) => !any((value) => like.test(value))(values)
  if (operator === 'gt') return any((value) => value > wanted)
  if (operator === 'ge') return any((value) => value >= wanted)
  if (operator === 'lt') return any((value) => value < wanted)
  if (operator === 'le') return any((value) => value <= wanted)
  throw invalid(`"-${operator}" is not a valid operator`)
}

function valuesOf(value: ExchangeValue): string[] {
  if (value === null) return []
  if (typeof value !== 'object') return [String(value)]
  if ('strings' in value) return [...value.strings]
  if ('guid' in value) return [value.guid]
  if ('utc' in value) return [value.utc.toISOString()]
  if ('local' in value) return [value.local.toISOString()]
  return [value.text]
}

function invalid(reason: string): Error {
  return new Error(`Invalid filter syntax. For a description of the filter parameter syntax see the command help. ${reason}`)
}
