// Declarations of the vision family: resampling of images and regions of them.
import { float, int, ints, op, required, string } from '../schema.ts';

export const visionOps = {
  Resize: op({
    since: 10,
    inputs: ['X', 'roi?', 'scales?', 'sizes?'],
    outputs: ['Y'],
    attrs: {
      antialias: int(0),
      axes: ints(),
      coordinate_transformation_mode: string('half_pixel'),
      cubic_coeff_a: float(-0.75),
      exclude_outside: int(0),
      extrapolation_value: float(0),
      keep_aspect_ratio_policy: string('stretch'),
      mode: string('nearest'),
      nearest_mode: string('round_prefer_floor'),
    },
    hostInputs: ['roi', 'scales', 'sizes'],
  }),
  GridSample: op({
    since: 16,
    inputs: ['X', 'grid'],
    outputs: ['Y'],
    attrs: { align_corners: int(0), mode: string('linear'), padding_mode: string('zeros') },
  }),
  AffineGrid: op({ since: 20, inputs: ['theta', 'size'], outputs: ['grid'], attrs: { align_corners: int(0) }, hostInputs: ['size'] }),
  RoiAlign: op({
    since: 10,
    inputs: ['X', 'rois', 'batch_indices'],
    outputs: ['Y'],
    attrs: {
      coordinate_transformation_mode: string('half_pixel'),
      mode: string('avg'),
      output_height: int(1),
      output_width: int(1),
      sampling_ratio: int(0),
      spatial_scale: float(1),
    },
    hostWhen: 'sampling_ratio is 0: the number of samples then depends on the regions',
  }),
  MaxRoiPool: op({ since: 1, inputs: ['X', 'rois'], outputs: ['Y'], attrs: { pooled_shape: required('ints'), spatial_scale: float(1) } }),
  ImageDecoder: op({
    since: 20,
    inputs: ['encoded_stream'],
    outputs: ['image'],
    attrs: { pixel_format: string('RGB') },
    hostOnly: 'the size of the image is in the data',
    limits: 'JPEG 2000, TIFF and WebP are not decoded: no small decoder of them runs everywhere. The colours of a JPEG are not smoothed between their samples.',
  }),
} as const;
