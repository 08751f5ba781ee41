import { z } from 'zod';
import { mode } from '../../schemas/alert.ts';
import { config } from '../../schemas/config.ts';
import type { AnyDetector } from '../detection/contract.ts';

/** What every detector may be told besides its own options. */
const common = {
  enabled: z.boolean().default(true).describe('Whether the detector runs'),
  mode: mode.optional().describe('shadow: its findings are recorded and never act; default: `policy.mode`'),
};

/** The options of one detector, the common ones among them. */
export function detectorOptions(detector: AnyDetector): z.ZodObject {
  const own: unknown = detector.config;
  if (!(own instanceof z.ZodObject)) return z.looseObject(common);
  return z.strictObject({ ...common, ...(own.shape as z.core.$ZodShape) });
}

/** The whole configuration file with the options of each detector spelled out. */
export function fileSchema(detectors: readonly AnyDetector[]): z.ZodObject {
  const options = detectors.map((detector) => [
    detector.id,
    detectorOptions(detector).optional().describe(detector.title),
  ]);
  const described = z
    .strictObject(Object.fromEntries(options) as z.core.$ZodShape)
    .prefault({})
    .describe(config.shape.detectors.description ?? '');
  return z.strictObject({ ...config.shape, detectors: described });
}
