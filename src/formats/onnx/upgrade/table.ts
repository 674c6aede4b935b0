// All upgrade rules, by ONNX operator name.
import { activationUpgrades } from './activation.ts';
import { controlUpgrades } from './control.ts';
import { convUpgrades } from './conv.ts';
import { indexingUpgrades } from './indexing.ts';
import { mathUpgrades } from './math.ts';
import { matmulUpgrades } from './matmul.ts';
import { mlUpgrades } from './ml.ts';
import { normUpgrades } from './norm.ts';
import { quantUpgrades } from './quant.ts';
import { randomUpgrades } from './random.ts';
import { recurrentUpgrades } from './recurrent.ts';
import { reduceUpgrades } from './reduce.ts';
import { sequenceUpgrades } from './sequence.ts';
import { shapeUpgrades } from './shape.ts';
import { signalUpgrades } from './signal.ts';
import { stringUpgrades } from './string.ts';
import { trainingUpgrades } from './training.ts';
import { visionUpgrades } from './vision.ts';
import type { Upgrades } from './upgrade.ts';

export const upgrades: Upgrades = {
  ...activationUpgrades,
  ...controlUpgrades,
  ...convUpgrades,
  ...indexingUpgrades,
  ...mathUpgrades,
  ...matmulUpgrades,
  ...mlUpgrades,
  ...normUpgrades,
  ...quantUpgrades,
  ...randomUpgrades,
  ...recurrentUpgrades,
  ...reduceUpgrades,
  ...sequenceUpgrades,
  ...shapeUpgrades,
  ...signalUpgrades,
  ...stringUpgrades,
  ...trainingUpgrades,
  ...visionUpgrades,
};
