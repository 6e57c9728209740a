import { answerJobs } from './child';
import { LoadClient } from './load-client';
import { trafficOf, type LoadJob, type LoadResult } from './load-jobs';

answerJobs<LoadJob, LoadResult>((job) =>
  new LoadClient(job.port, trafficOf(job), job.restMs).run(job.clients, job.warmUpMs, job.runMs),
);
