import { Marked, type Tokens } from 'marked'
import { plainValue } from './plain-value.ts'

/** A template as an administrator writes it: Markdown with `{{name}}` where a value goes. */
export type NoticeTemplate = { readonly subject: string; readonly body: string }

/**
 * Values by name. A string is untrusted (a phone may have made it up) and always ends up as plain text; a list becomes bullets
 * where its placeholder has a line to itself; a URL object is ours and the only value that may become the target of a link.
 */
export type NoticeVariables = Readonly<Record<string, string | readonly string[] | URL>>

export type RenderedNotice = { readonly subject: string; readonly html: string; readonly text: string }

const PLACEHOLDER = /\{\{\s*([A-Za-z][A-Za-z\d]{0,39})\s*\}\}/g
const SUBJECT_CHARACTERS_MAX = 200
const LIST_ITEMS_MAX = 50
/** How the mark of a value ends that is part of an address; the others end in Z. */
const IN_ADDRESS = 'U'
const LINK_PROTOCOLS = ['https:', 'http:', 'mailto:']

/**
 * The mail of a template. Values never pass through the Markdown parser: a mark stands in for each while the template is
 * parsed, and the value replaces the mark in the result. So no value can become markup, a link, an address or a header.
 * Unknown names render as nothing. Raw HTML and images of the template are shown as text; links are http, https or mailto.
 */
export function renderNotice(template: NoticeTemplate, variables: NoticeVariables): RenderedNotice {
  const marks = new Marks(template.body)
  const source = template.body
    .replace(/\r\n?/g, '\n')
    .split('\n')
    .map((line) => markLine(line, variables, marks))
    .join('\n')
  const parsed = parse(source, marks)
  const html = marks.fill(parsed.html, escapeHtml)
  const text = marks.fill(parsed.text, (value) => value)
  return {
    subject: renderSubject(template.subject, variables),
    html: page(html),
    text: `${text.replace(/\n{3,}/g, '\n\n').trim()}\n`,
  }
}

type Parsed = { readonly html: string; readonly text: string }

const PARSED_MAX = 200
/** Parsing takes most of the time of a notice, and all that it depends on is the template, the length of lists and our URLs. */
const parsedBefore = new Map<string, Parsed>()

/** The source in both forms, its marks still in place. */
function parse(source: string, marks: Marks): Parsed {
  const key = JSON.stringify([source, ...marks.known])
  const known = parsedBefore.get(key)
  if (known !== undefined) return known
  const [html, text] = (['html', 'text'] as const).map((kind) => createParser(kind, marks).parse(source, { async: false }))
  const parsed = { html: html ?? '', text: text ?? '' }
  if (parsedBefore.size >= PARSED_MAX) parsedBefore.clear()
  parsedBefore.set(key, parsed)
  return parsed
}

/** The names of the placeholders in a template. */
export function placeholdersOf(template: NoticeTemplate): string[] {
  const names = [...`${template.subject}\n${template.body}`.matchAll(PLACEHOLDER)].map((match) => match[1] ?? '')
  return [...new Set(names)]
}

/** Stand-ins of letters and digits only, which Markdown, HTML and URLs leave as they are, and which the template does not contain. */
class Marks {
  readonly #prefix: string
  readonly #values: { text: string; trusted: boolean }[] = []

  constructor(template: string) {
    let salt = 0
    while (template.includes(`GHVALUE${salt}X`)) salt += 1
    this.#prefix = `GHVALUE${salt}X`
  }

  add(text: string, trusted = false): string {
    return `${this.#prefix}${this.#values.push({ text, trusted }) - 1}Z`
  }

  /** What of the marks has a part in parsing: how they look, and the trusted values with their places. */
  get known(): readonly unknown[] {
    return [this.#prefix, ...this.#values.map(({ text, trusted }) => (trusted ? text : null))]
  }

  fill(rendered: string, show: (value: string) => string): string {
    return this.#replace(rendered, ({ text }, mark) => show(mark.endsWith(IN_ADDRESS) ? encodeURIComponent(text) : text))
  }

  /**
   * The address of a link, or undefined if it may not be one: an untrusted value must not be (part of) the host. Where it is
   * part of the rest, a mark stands for the value as an address needs it.
   */
  linkTarget(href: string): string | undefined {
    const withOurs = this.#replace(href, (value, mark) => (value.trusted ? value.text : mark))
    const url = URL.parse(withOurs)
    if (url === null || !LINK_PROTOCOLS.includes(url.protocol)) return undefined
    if (url.host.toLowerCase().includes(this.#prefix.toLowerCase())) return undefined
    if (url.protocol === 'mailto:' && withOurs.includes(this.#prefix)) return undefined
    return this.#replace(withOurs, (_, mark) => `${mark.slice(0, -1)}${IN_ADDRESS}`)
  }

  #replace(rendered: string, show: (value: { text: string; trusted: boolean }, mark: string) => string): string {
    return rendered.replace(new RegExp(`${this.#prefix}(\\d+)[Z${IN_ADDRESS}]`, 'g'), (mark, index) => {
      const value = this.#values[Number(index)]
      return value === undefined ? '' : show(value, mark)
    })
  }
}

function markLine(line: string, variables: NoticeVariables, marks: Marks): string {
  const alone = /^\s*\{\{\s*([A-Za-z][A-Za-z\d]{0,39})\s*\}\}\s*$/.exec(line)?.[1]
  const value = alone === undefined || !Object.hasOwn(variables, alone) ? undefined : variables[alone]
  if (isList(value)) {
    return limited(value)
      .map((item) => `- ${marks.add(plainValue(item))}`)
      .join('\n')
  }
  return line.replace(PLACEHOLDER, (_, name: string) => {
    const trusted = Object.hasOwn(variables, name) && variables[name] instanceof URL
    return marks.add(inlineValue(variables, name), trusted)
  })
}

function inlineValue(variables: NoticeVariables, name: string): string {
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined
  if (value instanceof URL) return LINK_PROTOCOLS.includes(value.protocol) ? value.href : ''
  if (isList(value)) return limited(value).map(plainValue).join(', ')
  return plainValue(value ?? '')
}

function isList(value: NoticeVariables[string] | undefined): value is readonly string[] {
  return Array.isArray(value)
}

function limited(items: readonly string[]): readonly string[] {
  return items.length <= LIST_ITEMS_MAX ? items : [...items.slice(0, LIST_ITEMS_MAX), `… +${items.length - LIST_ITEMS_MAX}`]
}

function renderSubject(subject: string, variables: NoticeVariables): string {
  const filled = subject.replace(PLACEHOLDER, (_, name: string) => inlineValue(variables, name))
  const line = filled.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return line.length <= SUBJECT_CHARACTERS_MAX ? line : `${line.slice(0, SUBJECT_CHARACTERS_MAX - 1).toWellFormed()}…`
}

function createParser(kind: 'html' | 'text', marks: Marks): Marked {
  const parser = new Marked({ gfm: true })
  const target = (href: string) => marks.linkTarget(href)
  if (kind === 'html') {
    parser.use({
      renderer: {
        html: (token) => escapeHtml(token.raw),
        image: (token) => escapeHtml(token.text),
        link(token) {
          const label = this.parser.parseInline(token.tokens)
          const href = target(token.href)
          return href === undefined ? label : `<a href="${escapeHtml(href)}">${label}</a>`
        },
      },
    })
    return parser
  }
  parser.use({ renderer: textRenderer(target) })
  return parser
}

type TextRenderer = NonNullable<Parameters<Marked['use']>[0]['renderer']>

function textRenderer(target: (href: string) => string | undefined): TextRenderer {
  return {
    html: (token) => token.raw,
    image: (token) => token.text,
    text(token) {
      return 'tokens' in token && token.tokens !== undefined ? this.parser.parseInline(token.tokens) : token.text
    },
    link(token) {
      const label = this.parser.parseInline(token.tokens)
      const href = target(token.href)
      return href === undefined || href === label ? label : `${label} (${href})`
    },
    paragraph(token) {
      return `${this.parser.parseInline(token.tokens)}\n\n`
    },
    heading(token) {
      return `${this.parser.parseInline(token.tokens)}\n\n`
    },
    blockquote(token) {
      return this.parser.parse(token.tokens)
    },
    list(token) {
      const lines = token.items.map((item: Tokens.ListItem, index: number) => {
        const bullet = token.ordered ? `${Number(token.start || 1) + index}.` : '-'
        return `${bullet} ${this.parser.parse(item.tokens).trim()}`
      })
      return `${lines.join('\n')}\n\n`
    },
    code: (token) => `${token.text}\n\n`,
    codespan: (token) => token.text,
    hr: () => '\n',
    br: () => '\n',
    strong(token) {
      return this.parser.parseInline(token.tokens)
    },
    em(token) {
      return this.parser.parseInline(token.tokens)
    },
    del(token) {
      return this.parser.parseInline(token.tokens)
    },
    table(token) {
      const rows = [token.header, ...token.rows]
      return `${rows.map((row) => row.map((cell) => this.parser.parseInline(cell.tokens)).join(' | ')).join('\n')}\n\n`
    },
  }
}

function escapeHtml(text: string): string {
  const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => escapes[character] ?? character)
}

function page(body: string): string {
  const style = 'font-family:Segoe UI,Arial,sans-serif;font-size:15px;line-height:1.5;color:#1b1b1b;max-width:640px'
  return `<!DOCTYPE html><html><head><meta charset="utf-8"></head><body><div style="${style}">\n${body.trim()}\n</div></body></html>\n`
}
