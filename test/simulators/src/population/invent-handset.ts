import type { SeededRandom } from './seeded-random.ts'

/** A device as it introduces itself to Exchange, with what Intune would call the same thing. */
export type Handset = {
  deviceId: string
  deviceType: string
  deviceModel: string
  deviceOs: string
  userAgent: string
  friendlyName: string | null
  hasSim: boolean
  intune: {
    operatingSystem: string
    osVersion: string
    model: string
    manufacturer: string
    deviceName: string
    managementAgent: string
  }
}

const iPhones = [
  ['iPhone14C5', 'iPhone 13'],
  ['iPhone15C2', 'iPhone 14 Pro'],
  ['iPhone15C4', 'iPhone 15'],
  ['iPhone16C1', 'iPhone 15 Pro'],
  ['iPhone17C3', 'iPhone 16'],
] as const
const iPads = [
  ['iPad13C1', 'iPad Air (4th generation)'],
  ['iPad14C1', 'iPad mini (6th generation)'],
] as const
const samsungs = [
  ['SM-G991B', 'SAMSUNGSMG991B'],
  ['SM-S911B', 'SAMSUNGSMS911B'],
  ['SM-A546B', 'SAMSUNGSMA546B'],
  ['SM-X810', 'SAMSUNGSMX810'],
] as const
const androids = [
  ['Pixel 8', 'Google'],
  ['Pixel 9 Pro', 'Google'],
  ['XQ-DC54', 'Sony'],
  ['moto g84 5G', 'motorola'],
] as const
const windowsModels = [
  ['Surface Pro 9', 'Microsoft Corporation'],
  ['Latitude 7440', 'Dell Inc.'],
  ['20XW004AUS', 'LENOVO'],
] as const
const appleBuilds = [
  ['18.6.2', '22G100', '2207.100'],
  ['26.0.1', '23A355', '2301.355'],
  ['26.1', '23B85', '2302.85'],
] as const

/** The model two people share in every population, whatever the seed. */
export function inventCommonIphone(random: SeededRandom): Handset {
  return inventApple(random, 'iPhone', ['iPhone15C4', 'iPhone 15'], appleBuilds[1])
}

export function inventHandset(random: SeededRandom): Handset {
  const roll = random.next()
  if (roll < 0.46) return inventApple(random, 'iPhone', random.pick(iPhones), random.pick(appleBuilds))
  if (roll < 0.54) return inventApple(random, 'iPad', random.pick(iPads), random.pick(appleBuilds))
  if (roll < 0.75) return inventSamsung(random)
  if (roll < 0.89) return inventAndroid(random)
  if (roll < 0.97) return inventWindows(random)
  return inventOutlook(random)
}

function inventApple(
  random: SeededRandom,
  deviceType: 'iPhone' | 'iPad',
  [deviceModel, model]: readonly [string, string],
  [version, build, agentBuild]: readonly [string, string, string],
): Handset {
  // Devices set up before iOS 8 and Macs bear Appl and the serial number, all others 26 characters.
  const deviceId = random.chance(0.06) ? `Appl${random.upperAlphanumeric(12)}` : random.upperAlphanumeric(26)
  return {
    deviceId,
    deviceType,
    deviceModel,
    deviceOs: `iOS ${version} ${build}`,
    userAgent: `Apple-${deviceModel}/${agentBuild}`,
    friendlyName: random.chance(0.7) ? `${random.pick(['Black', 'White', 'Blue', 'Space Gray'])} ${model}` : null,
    hasSim: deviceType === 'iPhone',
    intune: {
      operatingSystem: 'iOS',
      osVersion: version,
      model,
      manufacturer: 'Apple',
      deviceName: `${deviceType} ${random.digits(4)}`,
      managementAgent: random.chance(0.3) ? 'easMdm' : 'mdm',
    },
  }
}

export function inventSamsung(random: SeededRandom): Handset {
  const [model, deviceType] = random.pick(samsungs)
  const version = random.pick(['14', '15', '16'])
  return {
    deviceId: `SEC${random.hex(13).toUpperCase()}`,
    deviceType,
    deviceModel: model,
    deviceOs: `Android ${version}`,
    userAgent: `SAMSUNG-${model}/101.${version}0100`,
    friendlyName: random.chance(0.5) ? `Galaxy ${model}` : null,
    hasSim: true,
    intune: {
      operatingSystem: 'Android',
      osVersion: `${version}.0`,
      model,
      manufacturer: 'samsung',
      deviceName: `Samsung_${model}_${random.hex(6)}`,
      managementAgent: 'googleCloudDevicePolicyController',
    },
  }
}

function inventAndroid(random: SeededRandom): Handset {
  const [model, manufacturer] = random.pick(androids)
  const version = random.pick(['13', '14', '15', '16'])
  return {
    deviceId: `androidc${random.digits(10)}`,
    deviceType: 'Android',
    deviceModel: model,
    deviceOs: `Android ${version}`,
    userAgent: `Android-Mail/2025.${random.digits(2)}.23.${random.digits(9)}.Release`,
    friendlyName: random.chance(0.3) ? model : null,
    hasSim: true,
    intune: {
      operatingSystem: 'Android',
      osVersion: version,
      model,
      manufacturer,
      deviceName: `AndroidForWork_${random.hex(8)}`,
      managementAgent: 'googleCloudDevicePolicyController',
    },
  }
}

export function inventWindows(random: SeededRandom): Handset {
  const [model, manufacturer] = random.pick(windowsModels)
  const name = `DESKTOP-${random.upperAlphanumeric(7)}`
  return {
    deviceId: random.hex(32).toUpperCase(),
    deviceType: 'WindowsMail',
    deviceModel: model,
    deviceOs: 'Windows 10.0.22631',
    userAgent: 'MSFT-WIN-4/10.0.22631',
    friendlyName: name,
    hasSim: false,
    intune: {
      operatingSystem: 'Windows',
      osVersion: `10.0.22631.${random.digits(4)}`,
      model,
      manufacturer,
      deviceName: name,
      managementAgent: 'mdm',
    },
  }
}

function inventOutlook(random: SeededRandom): Handset {
  return {
    deviceId: random.hex(32).toUpperCase(),
    deviceType: 'Outlook',
    deviceModel: 'Outlook for iOS and Android',
    deviceOs: random.pick(['iOS 26.1', 'Android 15']),
    userAgent: 'Outlook-iOS-Android/1.0',
    friendlyName: 'Outlook for iOS and Android',
    hasSim: false,
    intune: {
      operatingSystem: 'iOS',
      osVersion: '26.1',
      model: 'iPhone 14',
      manufacturer: 'Apple',
      deviceName: `iPhone ${random.digits(4)}`,
      managementAgent: 'mdm',
    },
  }
}
