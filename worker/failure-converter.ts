import { DefaultFailureConverter } from '@temporalio/common';

/** Puts messages and stack traces where the payload codec encrypts them. Part of the workflows' bundle, too. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
