/**
 * Names of the MITRE ATT&CK techniques that detectors claim (Enterprise matrix).
 * Source: https://attack.mitre.org/techniques/
 */
const NAMES: Readonly<Record<string, string>> = {
  T1078: 'Valid Accounts',
  'T1078.004': 'Cloud Accounts',
  T1098: 'Account Manipulation',
  T1528: 'Steal Application Access Token',
  T1539: 'Steal Web Session Cookie',
  T1550: 'Use Alternate Authentication Material',
  'T1550.001': 'Application Access Token',
  'T1550.004': 'Web Session Cookie',
  T1606: 'Forge Web Credentials',
};

export interface OcsfTechnique {
  uid: string;
  name?: string;
  src_url: string;
}

export interface OcsfAttack {
  technique: OcsfTechnique;
  sub_technique?: OcsfTechnique;
}

function technique(uid: string): OcsfTechnique {
  const name = NAMES[uid];
  const src_url = `https://attack.mitre.org/techniques/${uid.replace('.', '/')}/`;
  return name === undefined ? { uid, src_url } : { uid, name, src_url };
}

/** An ATT&CK id such as `T1528` or `T1550.001` as the OCSF `attack` object. */
export function attackOf(id: string): OcsfAttack {
  const [parent = id] = id.split('.');
  return parent === id
    ? { technique: technique(id) }
    : { technique: technique(parent), sub_technique: technique(id) };
}
