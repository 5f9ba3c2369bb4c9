/** The subgraphs of the supergraph. */
export type ServiceName = 'clinical' | 'imaging';
