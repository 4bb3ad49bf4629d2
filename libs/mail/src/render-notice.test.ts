import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_TEMPLATES, NOTICE_LOCALES, noticeLocaleOf } from './default-templates.ts'
import { previewNotice } from './preview-notice.ts'
import { renderNotice } from './render-notice.ts'

const enrolUrl = new URL('https://portal.manage.microsoft.com/enrol?x=1&y=2')
const variablesOf = (device: string) => ({ displayName: device, organization: device, devices: [device, device], enrolUrl })
const tagsOf = (html: string) => html.match(/<[^>]*>/g) ?? []

const HOSTILE = [
  '<script>alert(1)</script>',
  '[click](https://evil.example)',
  '![x](https://evil.example/x.png)',
  'https://evil.example/login',
  'HTTP://evil.example',
  'www.evil.example',
  'evil.example',
  'mailto:me@evil.example',
  '**bold** _em_ `code` # heading',
  '{{enrolUrl}}',
  'a\r\nBcc: everybody@contoso.com',
  'a\u2028b\u0000c',
  '" onmouseover="alert(1)',
  '\u202Egpj.exe',
  'GHVALUE0X0Z',
  '- item\n\n# heading\n\n> quote',
  '\u{D800}lone',
  'evil\u3002example',
]

/** Any UTF-16 there is, half surrogates included. */
const anyText = fc.array(fc.nat(0xffff), { maxLength: 30 }).map((units) => String.fromCharCode(...units))

describe('renderNotice', () => {
  it('gives the same markup whatever a phone calls itself', () => {
    for (const locale of NOTICE_LOCALES) {
      const expected = tagsOf(renderNotice(DEFAULT_TEMPLATES[locale], variablesOf('iPhone')).html)
      for (const name of HOSTILE) {
        expect(tagsOf(renderNotice(DEFAULT_TEMPLATES[locale], variablesOf(name)).html)).toEqual(expected)
      }
    }
  })

  it('gives the same markup and no second link for any text at all', () => {
    const hostile = fc.array(fc.oneof(fc.constantFrom(...HOSTILE), anyText), { maxLength: 4 })
    const expected = tagsOf(renderNotice(DEFAULT_TEMPLATES.en, variablesOf('iPhone')).html)

    fc.assert(
      fc.property(hostile, (parts) => {
        const notice = renderNotice(DEFAULT_TEMPLATES.en, variablesOf(parts.join('')))

        expect(tagsOf(notice.html)).toEqual(expected)
        expect(notice.text.replace(enrolUrl.href, '')).not.toMatch(/:\/\/|(^|[^\d])\.(?=[\p{L}])/u)
        expect(notice.subject).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
        expect(notice.subject.length).toBeLessThanOrEqual(200)
      }),
    )
  })

  it('shows the value of a placeholder inside another value as the text it is', () => {
    const { text } = renderNotice({ subject: 's', body: '{{displayName}}' }, variablesOf('{{enrolUrl}}'))

    expect(text).toBe('{{enrolUrl}}\n')
  })

  it('makes bullets of a list that has its line to itself, and a sentence of one that has not', () => {
    const { text } = renderNotice({ subject: 's', body: 'One of {{devices}}.\n\n{{devices}}' }, { devices: ['a', 'b'] })

    expect(text).toBe('One of a, b.\n\n- a\n- b\n')
  })

  it('links to an address of ours and shows it in the text', () => {
    const notice = renderNotice({ subject: 's', body: '[Start]({{enrolUrl}})' }, { enrolUrl })

    expect(notice.html).toContain(`<a href="https://portal.manage.microsoft.com/enrol?x=1&amp;y=2">Start</a>`)
    expect(notice.text).toBe(`Start (${enrolUrl.href})\n`)
  })

  it('renders one template anew for each set of values, marks in values and other addresses included', () => {
    const template = { subject: '', body: '[Go {{name}}]({{start}}?u={{name}})\n\n{{devices}}' }
    const render = (name: string, start: string, devices: string[]) =>
      renderNotice(template, { name, start: new URL(start), devices }).text

    expect(render('a b', 'https://one.example/', ['x'])).toBe('Go a b (https://one.example/?u=a%20b)\n\n- x\n')
    expect(render("O'C", 'https://two.example/', ['y'])).toBe("Go O'C (https://two.example/?u=O'C)\n\n- y\n")
    expect(render('GHVALUE0X3Z', 'https://one.example/', ['x', 'y'])).toBe(
      'Go GHVALUE0X3Z (https://one.example/?u=GHVALUE0X3Z)\n\n- x\n- y\n',
    )
  })

  it('never lets a value choose where a link goes', () => {
    for (const body of [
      '[a]({{x}})',
      '[a](https://{{x}}/)',
      '[a](https://b.{{x}})',
      '[a](mailto:{{x}})',
      '[a](javascript:{{x}})',
    ]) {
      expect(renderNotice({ subject: 's', body }, { x: 'https://evil.example' }).html).not.toContain('<a ')
    }
    const { html } = renderNotice({ subject: 's', body: '[a](https://contoso.com/?u={{x}})' }, { x: '"><b>' })
    expect(html).toContain('<a href="https://contoso.com/?u=%22%3E%3Cb%3E">')
  })

  it('shows raw HTML of the template as text and takes no image and no script address', () => {
    const { html } = renderNotice({ subject: 's', body: '<b>x</b> ![i](https://a/b.png) [j](javascript:alert(1))' }, {})

    expect(html).toContain('&lt;b&gt;')
    expect(html).not.toMatch(/<img|javascript:/)
  })

  it('keeps versions readable', () => {
    const { text } = renderNotice({ subject: 's', body: '{{x}}' }, { x: 'iOS 18.1.2: "Zoë’s phone"' })

    expect(text).toBe('iOS 18.1.2: "Zoë’s phone"\n')
  })
})

describe('previewNotice', () => {
  it('names the placeholders that no notice has', () => {
    const preview = previewNotice({ subject: '{{organisation}}', body: '{{displayName}} {{devices}}' }, 'en')

    expect(preview.unknownVariables).toEqual(['organisation'])
    expect(preview.text).toContain('Alex Wilber')
  })

  it('finds nothing unknown in the templates we bring', () => {
    for (const locale of NOTICE_LOCALES) expect(previewNotice(DEFAULT_TEMPLATES[locale], locale).unknownVariables).toEqual([])
  })
})

describe('noticeLocaleOf', () => {
  it('falls back to English', () => {
    expect(['fr-CA', 'FR', 'fr_FR', 'de-DE', '', null, undefined].map(noticeLocaleOf)).toEqual([
      'fr',
      'fr',
      'fr',
      'en',
      'en',
      'en',
      'en',
    ])
  })
})
