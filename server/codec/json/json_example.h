/*
 * json_example.h - what a body should look like, for the sentences.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_EXAMPLE_H
#define PPM_SERVER_CODEC_JSON_JSON_EXAMPLE_H

#define CODEC_JSON_EXAMPLE "{\"shape\": [1, 4, 30, 30], \"data\": [..]}"
#define CODEC_JSON_V2_EXAMPLE                                                                      \
    "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 30, 30], "          \
    "\"data\": [..]}]}"
#define CODEC_JSON_V1_EXAMPLE "{\"instances\": [[[[..]]]]}"

#endif
