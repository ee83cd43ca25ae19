/* What every test file of whole policies needs on top: the usual configurations. */
#ifndef GH_POLICY_FIXTURE_YAML_H
#define GH_POLICY_FIXTURE_YAML_H

#define DEVELOPMENT "environment: development\n"
#define PRODUCTION  "hosts: [api.example.com, \"*.apps.example.com\"]\n"
#define ROUTE_ALL   "routes: [{path: /**, upstream: api}]\n"

#endif
