import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import type { BundleKind } from '.';

export async function bundleWorkflows({ areSealed, areTraced }: BundleKind): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: require.resolve('../workflows'),
    ...(areSealed && { failureConverterPath: require.resolve('./failure-converter') }),
    ...(areTraced && { workflowInterceptorModules: [require.resolve('../workflows/tracing')] }),
    logger: new DefaultLogger('WARN'),
  });
  return code;
}
