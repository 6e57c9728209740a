import { z } from 'zod';

export interface TracingConfig {
  url: string;
  ratio: number;
  headers: Record<string, string>;
}

/** OpenTelemetry's own variables, so that they mean here what they mean elsewhere. */
export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must look like http://collector:4318.' })
    .optional(),
  OTEL_EXPORTER_OTLP_HEADERS: z.string().default('').transform(headersOf),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .default('1')
    .refine((text) => /^\d*\.?\d+$/.test(text) && Number(text) <= 1, 'must be a number from 0 to 1, like 0.1.')
    .transform(Number),
};

/** `key=value,key=value`, with values percent-encoded as OpenTelemetry has it. */
function headersOf(text: string, context: z.RefinementCtx): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',').filter((each) => each.trim() !== '')) {
    const [, name, value] = /^\s*([\w-]+)\s*=\s*([^\s]+)\s*$/.exec(pair) ?? [];
    const decoded = value === undefined ? undefined : decode(value);
    if (name === undefined || decoded === undefined) {
      // A value may be a key, so it is never repeated.
      context.addIssue({ code: 'custom', message: 'must look like name=value,name=value.' });
      return {};
    }
    headers[name] = decoded;
  }
  return headers;
}

function decode(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

type Settings = z.infer<z.ZodObject<typeof tracingVariables>>;

export function tracingConfig(settings: Settings): TracingConfig | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_SAMPLER_ARG: ratio } = settings;
  return url === undefined ? undefined : { url, ratio, headers: settings.OTEL_EXPORTER_OTLP_HEADERS };
}
