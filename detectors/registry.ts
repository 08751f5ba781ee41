import type { AnyDetector } from '../src/detection/contract.ts';
import { impossibleTravel } from './impossible-travel/detector.ts';
import { scopeDrift } from './scope-drift/detector.ts';
import { tokenReplay } from './token-replay/detector.ts';

/** Every detector there is. A detector that is not listed here does not exist. */
export const detectors: readonly AnyDetector[] = [impossibleTravel, scopeDrift, tokenReplay];
