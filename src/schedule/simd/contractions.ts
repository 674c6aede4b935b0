// The templates for contractions, tried in order. Where none fits, the contraction is a plain loop nest.
import type { ContractionTemplate } from './templates.ts';

export const contractionTemplates: readonly ContractionTemplate[] = [];
