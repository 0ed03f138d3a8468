/* answer_form.h - the form of an answer: what the client accepts, and what the model has. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_ANSWER_FORM_H
#define PPM_SERVER_HANDLERS_INFERENCE_ANSWER_FORM_H

#include "server/handlers/inference/inference.h"

/* Chooses answer_form by Accept, as far as that depends on no model. */
enum http_next inference_refuse_accept(struct inference *inference);

/* Reads ?out_dtype=. */
enum http_next inference_read_out_dtype(struct inference *inference);

/* Whether answer_form has that type. */
enum http_next inference_refuse_dtype_of_form(struct inference *inference);

/* Chooses answer_form by Accept and by whether the model answers labels, unless intermediate
 * results are asked for, and checks ?out_dtype= against it and the model. */
enum http_next inference_refuse_answer(struct inference *inference);

#endif
