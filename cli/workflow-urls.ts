import type { Config } from './config';

/** The page of a workflow in the Temporal Web UI, where that is configured. */
export function workflowUrls({ uiUrl, namespace }: Config['temporal']): (workflowId: string) => string | null {
  if (uiUrl === undefined) return () => null;
  const workflows = `${uiUrl.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows/`;
  return (workflowId) => workflows + encodeURIComponent(workflowId);
}
