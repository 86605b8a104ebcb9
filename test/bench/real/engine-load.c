// How long WasmEdge takes from a module's bytes to an instance that could be called: what a cold start has of it.
//
//   engine-load MODULE ROUNDS
//
// Prints one line per round: milliseconds of load, validate and instantiate. The first round is a new process's.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wasmedge/wasmedge.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void check(WasmEdge_Result result, const char *step) {
  if (WasmEdge_ResultOK(result)) return;
  fprintf(stderr, "%s: %s\n", step, WasmEdge_ResultGetMessage(result));
  exit(1);
}

static void round_of(const char *path) {
  WasmEdge_ConfigureContext *config = WasmEdge_ConfigureCreate();
  WasmEdge_StoreContext *store = WasmEdge_StoreCreate();
  WasmEdge_ExecutorContext *executor = WasmEdge_ExecutorCreate(config, NULL);
  WasmEdge_LoaderContext *loader = WasmEdge_LoaderCreate(config);
  WasmEdge_ValidatorContext *validator = WasmEdge_ValidatorCreate(config);
  WasmEdge_ModuleInstanceContext *wasi = WasmEdge_ModuleInstanceCreateWASI(NULL, 0, NULL, 0, NULL, 0);
  WasmEdge_ASTModuleContext *module = NULL;
  WasmEdge_ModuleInstanceContext *instance = NULL;
  check(WasmEdge_ExecutorRegisterImport(executor, store, wasi), "register WASI");
  double start = now();
  check(WasmEdge_LoaderParseFromFile(loader, &module, path), "load");
  double loaded = now();
  check(WasmEdge_ValidatorValidate(validator, module), "validate");
  double validated = now();
  check(WasmEdge_ExecutorInstantiate(executor, &instance, store, module), "instantiate");
  double done = now();
  printf("%.4f %.4f %.4f\n", loaded - start, validated - loaded, done - validated);
  WasmEdge_ModuleInstanceDelete(instance);
  WasmEdge_ASTModuleDelete(module);
  WasmEdge_ModuleInstanceDelete(wasi);
  WasmEdge_ValidatorDelete(validator);
  WasmEdge_LoaderDelete(loader);
  WasmEdge_ExecutorDelete(executor);
  WasmEdge_StoreDelete(store);
  WasmEdge_ConfigureDelete(config);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: engine-load MODULE ROUNDS\n"), 2;
  WasmEdge_LogSetErrorLevel();
  for (int i = 0; i < atoi(argv[2]); i++) round_of(argv[1]);
  return 0;
}
