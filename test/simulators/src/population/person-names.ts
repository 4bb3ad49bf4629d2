export const givenNames: readonly string[] =
  'Adele Alex Alicja Amélie Andrzej Anna Antoine Ben Björn Camille Carlos Chiara Christie Claire Daniel Debra Diego Élodie Emily Enrico Ewa Fatima François Giulia Grady Hannah Henrietta Hugo Ingrid Irvin Isaiah Jan Joanna Johanna José Julien Katarzyna Lee Léa Lidia Lukas Lynne Magda Marie Mathieu Megan Miriam Moritz Nadia Nestor Noor Olga Patti Paul Piotr Pradeep Quentin Raúl Renée Sophie Søren Thomas Ulrike Vance Wei Yasmin Zoë'.split(
    ' ',
  )

export const familyNames: readonly string[] =
  "Bernard Bianchi Bowen Brunner Cline D'Angelo Dubois Durand Eriksson Fischer Garcia Girard Gruber Hoffmann Holloway Jankowska Johansson Kaczmarek Kowalski Lambert Langer Laurent Lefèvre Lemaire MacDonald Marchetti Martin Meyers Moreau Müller Nielsen Nowak O'Connor Okonkwo Pace Petit Pfeiffer Ramos Richter Rossi Rousseau Sáez Sherman Singh Smits Stewart Szymański Vance Vega Verhoeven Villeneuve Wagner Wilber Wójcik Young Zhang".split(
    ' ',
  )

/** Letters and digits only, so that it can stand before the @. */
export function toAddressPart(name: string): string {
  return name
    .replace(/ł/gi, 'l')
    .replace(/ø/gi, 'o')
    .normalize('NFD')
    .replace(/[^A-Za-z]/g, '')
    .toLowerCase()
}
