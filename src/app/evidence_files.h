/* The files that routes name in `input.evidence`, each with what is collected for it. */
#ifndef GH_APP_EVIDENCE_FILES_H
#define GH_APP_EVIDENCE_FILES_H

#include "app/root_config.h"
#include "openapi/evidence_collect.h"

/* Of one document; routes that name both alike share it. */
struct gh_evidence_file {
    struct gh_str path; /* with a NUL behind it */
    const struct gh_openapi *document;
    struct gh_str document_path; /* as the configuration has it */
    struct gh_evidence_collector *collector;
    const struct gh_evidence_file *next;
};

/* Sets input.collector of the routes; call behind gh_input_documents_load. NULL: no route asks for
   evidence, or there were problems. All of it lives in load->arena. */
const struct gh_evidence_file *gh_evidence_files_make(struct gh_config_load *load,
                                                      struct gh_root_settings *settings);

#endif
