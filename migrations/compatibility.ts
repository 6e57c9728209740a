/**
 * The code before a migration goes on running on what it leaves. One after which that isn't so names, at its end, the
 * migration at which the oldest code ends that still can: `0012-drop-names-since-0010`. So the database itself tells code
 * that has never heard of it.
 */
const SINCE = /-since-(\d{4})$/;

/** Which of the migrations that a database has make it unfit for code that ends at `latest`. */
export function tooNewFor(latest: string, names: readonly string[]): string[] {
  return names.filter((name) => {
    const since = SINCE.exec(name)?.[1];
    return since !== undefined && latest.slice(0, 4) < since;
  });
}
