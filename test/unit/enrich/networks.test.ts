import { describe, expect, test } from 'vitest';
import type { NetworkClass } from '../../../schemas/access-event.ts';
import { config, type ConfigInput } from '../../../schemas/config.ts';
import { parseAddress } from '../../../src/enrich/address.ts';
import { createNetworkClassifier } from '../../../src/enrich/networks/classify.ts';

const ANY = parseAddress('203.0.113.1')!;
const classifier = (networks: NonNullable<ConfigInput['enrich']>['networks'] = []) =>
  createNetworkClassifier(config.parse({ enrich: { networks } }).enrich.networks);
const classify = classifier();

/** Autonomous systems by what they are known for. Names as the ASN database spells them, which may mislead. */
const KNOWN: Record<Exclude<NetworkClass, 'private' | 'unknown'>, [number, string][]> = {
  hosting: [
    [16509, 'Amazon.com, Inc.'],
    [14618, 'Amazon.com, Inc.'],
    [8075, 'Microsoft Corporation'],
    [15169, 'Google LLC'],
    [396982, 'Google LLC'],
    [31898, 'Oracle Corporation'],
    [36351, 'IBM Cloud'],
    [37963, 'Hangzhou Alibaba Advertising Co.,Ltd.'],
    [132203, 'Shenzhen Tencent Computer Systems Company Limited'],
    [136907, 'HUAWEI INTERNATIONAL PTE. LTD.'],
    [16276, 'OVH SAS'],
    [24940, 'Hetzner Online GmbH'],
    [14061, 'DigitalOcean, LLC'],
    [63949, 'Akamai Technologies, Inc.'],
    [20473, 'The Constant Company, LLC'],
    [12876, 'Scaleway SAS'],
    [51167, 'Contabo GmbH'],
    [8560, 'IONOS SE'],
    [60781, 'LeaseWeb Netherlands B.V.'],
    [59253, 'LEASEWEB SINGAPORE PTE. LTD.'],
    [13335, 'Cloudflare, Inc.'],
    [54113, 'Fastly, Inc.'],
    [47583, 'Hostinger International Limited'],
    [36352, 'HostPapa'],
    [26496, 'GoDaddy.com, LLC'],
    [46606, 'Unified Layer'],
    [33070, 'Rackspace Hosting'],
    [49505, 'JSC Selectel'],
    [200350, 'Yandex.Cloud LLC'],
    [53667, 'FranTech Solutions'],
    [6939, 'Hurricane Electric LLC'],
    [14340, 'Salesforce.com, Inc.'],
    [36459, 'GitHub, Inc.'],
    [202448, 'MVPS LTD'],
    [203329, 'NTT Global Data Centers EMEA GmbH'],
    [53850, 'GorillaServers, Inc.'],
    [42831, 'UK Dedicated Servers Limited'],
    [21769, 'Colocation America Corporation'],
    [9952, 'Hostway IDC'],
    [200019, 'ALEXHOST SRL'],
  ],
  mobile: [
    [21928, 'T-Mobile USA, Inc.'],
    [22394, 'Verizon Business'],
    [6167, 'Verizon Business'],
    [20057, 'AT&T Enterprises, LLC'],
    [51207, 'Free Mobile SAS'],
    [29447, 'SCALEWAY S.A.S.'],
    [206067, 'Hutchison 3G UK Limited'],
    [25135, 'Vodafone Limited'],
    [31615, 'Odido Netherlands B.V.'],
    [44034, 'Hi3G Access AB'],
    [12912, 'T-Mobile Polska S.A.'],
    [8374, 'Polkomtel Sp. z o.o.'],
    [20978, 'TT Mobil Iletisim Hizmetleri A.S'],
    [16135, 'TURKCELL ILETISIM HIZMETLERI A.S.'],
    [31133, 'PJSC MegaFon'],
    [25106, 'Mobile TeleSystems JLLC'],
    [43766, 'Mobile Telecommunication Company Saudi Arabia Joint-Stock company'],
    [197207, 'Mobile Communication Company of Iran PLC'],
    [37069, 'The Egyptian Company for Mobile Services (Mobinil)'],
    [33771, 'Safaricom Limited'],
    [37075, 'Airtel Uganda Limited'],
    [29975, 'Vodacom'],
    [36972, 'MTN SUDAN'],
    [55836, 'Reliance Jio Infocomm Limited'],
    [45609, 'Bharti Airtel Limited'],
    [45271, 'Vodafone Idea Ltd. (VIL)'],
    [9808, 'China Mobile'],
    [9605, 'NTT DOCOMO, INC.'],
    [138384, 'Rakuten Mobile, Inc.'],
    [9644, 'SK Telecom'],
    [24158, 'Taiwan Mobile Co., Ltd.'],
    [17924, 'Smartone Mobile communications Limited'],
    [23693, 'PT. Telekomunikasi Selular'],
    [45143, 'Singapore Telecom Mobile Pte Ltd'],
    [133612, 'Vodafone Australia Pty Ltd'],
    [26599, 'TELEFONICA BRASIL S.A'],
    [27831, 'Colombia Movil'],
    [263783, 'Telefonica Moviles El Salvador S.A. de C.V.'],
    [14593, 'Space Exploration Technologies Corporation'],
    [64294, 'Panasonic Avionics Corporation'],
  ],
  anonymizer: [
    [9009, 'M247 Europe SRL'],
    [212238, 'Datacamp Limited'],
    [60068, 'Datacamp Limited'],
    [136787, 'PacketHub S.A.'],
    [209854, 'Cyberzone S.A.'],
    [39351, '31173 Services AB'],
    [216025, 'Mullvad VPN AB'],
    [62371, 'Proton AG'],
    [397540, 'Windscribe'],
    [203619, 'IVPN Limited'],
    [11878, 'tzulo, inc.'],
    [198605, 'AVAST Software s.r.o.'],
    [396507, 'Emerald Onion'],
    [4224, 'The Calyx Institute'],
    [60729, 'Stiftung Erneuerbare Freiheit'],
    [208323, 'Foundation for Applied Privacy'],
    [62744, 'Quintex Alliance Consulting'],
    [396319, 'Oxylabs'],
    [22616, 'ZSCALER, INC.'],
    [55256, 'Netskope Inc'],
    [13150, 'CATO NETWORKS LTD'],
    [36692, 'Cisco OpenDNS, LLC'],
  ],
  residential: [
    [7922, 'Comcast Cable Communications, LLC'],
    [7018, 'AT&T Enterprises, LLC'],
    [701, 'Verizon Business'],
    [20115, 'Charter Communications'],
    [22773, 'Cox Communications Inc.'],
    [16591, 'Google Fiber Inc.'],
    [812, 'Rogers Communications Canada Inc.'],
    [3320, 'Deutsche Telekom AG'],
    [3209, 'Vodafone GmbH'],
    [8881, '1&1 Versatel GmbH'],
    [3215, 'Orange S.A.'],
    [12322, 'Free SAS'],
    [2856, 'British Telecommunications PLC'],
    [5089, 'Virgin Media Limited'],
    [5607, 'Sky UK Limited'],
    [41012, 'The Cloud Networks Limited'],
    [3352, 'TELEFONICA DE ESPANA S.A.U.'],
    [3269, 'Telecom Italia S.p.A.'],
    [39834, 'FIBERHOST S.A.'],
    [6830, 'Liberty Global B.V.'],
    [3301, 'Telia Company AB'],
    [12389, 'PJSC Rostelecom'],
    [17676, 'SoftBank Corp.'],
    [2516, 'KDDI CORPORATION'],
    [4766, 'Korea Telecom'],
    [4134, 'Chinanet'],
    [24560, 'Bharti Airtel Limited'],
    [28573, 'Claro NXT Telecomunicacoes Ltda'],
    [37611, 'AFRIHOST SP (PTY) LTD'],
    [1221, 'Telstra Limited'],
    [13428, 'Surf Air Wireless, LLC'],
    [11816, 'SERVICIO DI TELECOMUNICACION DI ARUBA (SETAR) N.V.'],
    [3, 'Massachusetts Institute of Technology'],
    [237, 'Merit Network Inc.'],
    [680, 'Verein zur Foerderung eines Deutschen Forschungsnetzes e.V.'],
    [521, 'Ford Motor Company'],
    [1766, 'Exxon Mobil Corporation'],
    [16236, 'PSA AUTOMOBILES SA'],
    [10794, 'Bank of America, National Association'],
    [719, 'Elisa Oyj'],
  ],
};

describe.each(Object.entries(KNOWN))('%s', (expected, systems) => {
  test.each(systems)('AS%i %s', (asn, as_org) => {
    expect(classify(ANY, { asn, as_org })).toBe(expected);
  });
});

// Numbers of no list, so that only the name tells.
test.each([
  ['St. Cloud State University', 'residential'],
  ['City of Mobile', 'residential'],
  ['Cloud County Community College', 'residential'],
  ['Hostelworld Group', 'residential'],
  ['Observer Media Network', 'residential'],
  ['Ghost Town Telephone', 'residential'],
  ['Network Data Systems Inc', 'residential'],
  ['VPN de Mexico, S.A. de C.V.', 'residential'],
  ['Cloud 9 Wireless LLC', 'residential'],
  ['Example Hosting GmbH', 'hosting'],
  ['ExampleVPS LLC', 'hosting'],
  ['Example Cloud Computing Co., Ltd', 'hosting'],
  ['Example Datacentre Ltd', 'hosting'],
  ['Example VPN Ltd', 'anonymizer'],
  ['Example Mobile Ltd', 'mobile'],
  ['Telefonía Móvil de Ejemplo', 'mobile'],
])('an unlisted AS called %j is %s', (as_org, expected) => {
  expect(classify(ANY, { asn: 65_600, as_org })).toBe(expected);
});

test.each([
  ['10.1.2.3', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.0.1', 'private'],
  ['127.0.0.1', 'private'],
  ['169.254.1.1', 'private'],
  ['100.64.0.1', 'private'],
  ['100.127.255.255', 'private'],
  ['::1', 'private'],
  ['fd00::1', 'private'],
  ['fe80::1', 'private'],
  ['::ffff:192.168.0.1', 'private'],
  ['172.32.0.1', 'unknown'],
  ['100.128.0.1', 'unknown'],
  ['203.0.113.1', 'unknown'],
  ['2001:db8::1', 'unknown'],
])('%s without an AS is %s', (text, expected) => {
  expect(classify(parseAddress(text)!, null)).toBe(expected);
});

test.each([0, 23456, 64_500, 65_000, 65_540, 4_200_000_001])('AS%i belongs to nobody', (asn) => {
  expect(classify(ANY, { asn, as_org: 'Example Hosting' })).toBe('unknown');
});

test('relay egress is told from the rest of the content delivery network that announces it', () => {
  const cloudflare = { asn: 13335, as_org: 'Cloudflare, Inc.' };
  expect(classify(parseAddress('104.28.40.9')!, cloudflare)).toBe('anonymizer');
  expect(classify(parseAddress('104.16.0.9')!, cloudflare)).toBe('hosting');
  const akamai = { asn: 20940, as_org: 'Akamai International B.V.' };
  expect(classify(parseAddress('172.225.6.9')!, akamai)).toBe('anonymizer');
  expect(classify(parseAddress('2a02:26f7:c9c8:4000::1')!, akamai)).toBe('anonymizer');
  expect(classify(parseAddress('23.32.0.9')!, akamai)).toBe('hosting');
});

describe('what is configured', () => {
  const own = classifier([
    { class: 'private', cidrs: ['203.0.113.128/25'] },
    { class: 'anonymizer', cidrs: ['203.0.113.0/24', '10.8.0.0/16'], asns: [64496] },
    { class: 'residential', asns: [16509, 64496] },
  ]);

  test('comes before the built-in lists and private addresses', () => {
    expect(own(ANY, null)).toBe('anonymizer');
    expect(own(parseAddress('198.51.100.1')!, { asn: 16509, as_org: 'Amazon.com, Inc.' })).toBe(
      'residential',
    );
    expect(own(parseAddress('10.8.0.1')!, null)).toBe('anonymizer');
    expect(own(parseAddress('10.9.0.1')!, null)).toBe('private');
  });

  test('the first match wins, by block or by number', () => {
    expect(own(parseAddress('203.0.113.200')!, { asn: 64496 })).toBe('private');
    expect(own(parseAddress('198.51.100.1')!, { asn: 64496 })).toBe('anonymizer');
    expect(own(ANY, { asn: 16509 })).toBe('anonymizer');
  });

  test('is refused with its place where it is no network', () => {
    expect(() =>
      classifier([{ class: 'mobile' }, { class: 'private', cidrs: ['10.0.0.0/8', 'office'] }]),
    ).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG_INVALID',
        message: expect.stringContaining('enrich.networks[1].cidrs[1]') as string,
      }),
    );
  });
});
