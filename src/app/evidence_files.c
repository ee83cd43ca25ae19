#include "app/evidence_files.h"

#include "app/input_documents.h"

static void add_full(struct gh_config_load *load)
{
    gh_config_problem_add(load, GH_CONFIG_ERROR, (struct gh_config_place){0}, NULL,
                          "the configuration needs more memory than it may have");
}

static const struct gh_evidence_file *find(const struct gh_evidence_file *files, struct gh_str path,
                                           const struct gh_openapi *document)
{
    for (; files; files = files->next)
        if (gh_str_eq(files->path, path) && (!document || files->document == document))
            return files;
    return NULL;
}

/* Operations of two documents may have one name: their bounds would be mixed up. */
static bool is_of_another(struct gh_config_load *load, const struct gh_evidence_file *files,
                          struct gh_str path, const struct gh_input_settings *input)
{
    const struct gh_evidence_file *same = find(files, path, NULL);
    if (!same || gh_str_eq(same->document_path, input->openapi))
        return false;
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &input->evidence),
                          "name another file", "the evidence of %.*s goes into this file already",
                          GH_STR_ARG(gh_config_show(load->arena, same->document_path)));
    return true;
}

static struct gh_evidence_file *make(struct gh_config_load *load, struct gh_str path,
                                     const struct gh_input_settings *input)
{
    struct gh_evidence_file *file = gh_arena_zalloc(load->arena, 1, sizeof(*file));
    if (!file)
        return NULL;
    file->path = path;
    file->document = input->document;
    file->document_path = input->openapi;
    file->collector = gh_evidence_collector_new(load->arena, input->document);
    return file->collector ? file : NULL;
}

const struct gh_evidence_file *gh_evidence_files_make(struct gh_config_load *load,
                                                      struct gh_root_settings *settings)
{
    struct gh_route_settings *routes = settings->policy.routes.items;
    const struct gh_evidence_file *files = NULL;
    for (size_t i = 0; i < settings->policy.routes.count; i++) {
        struct gh_input_settings *input = &routes[i].input;
        if (!input->evidence.len || !input->document)
            continue;
        struct gh_str path = gh_arena_dup(load->arena, gh_input_path(load, input->evidence));
        if (path.ptr && is_of_another(load, files, path, input))
            continue;
        const struct gh_evidence_file *known = find(files, path, input->document);
        struct gh_evidence_file *file = known || !path.ptr ? NULL : make(load, path, input);
        if (!known && !file) {
            add_full(load);
            return NULL;
        }
        if (file)
            file->next = files;
        files = file ? file : files;
        input->collector = known ? known->collector : file->collector;
    }
    return files;
}
